//! A small project tracker: projects and their tasks, found by index, with a migration and back.
//!
//! `cargo run -p storage-factory --features collections --example tracker` keeps its data in `./tracker`, or wherever `STORAGE_URL` says.

use storage_factory::prelude::*;

type Error = Box<dyn std::error::Error + Send + Sync>;

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Project {
    name: String,
}

impl Entity for Project {
    const COLLECTION: &'static str = "projects";

    fn indexes() -> Vec<Index> {
        vec![Index::hash("by_name", ["name"]).unique()]
    }
}

/// As version 1.0 of the tracker has them.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Task {
    project: String,
    title: String,
    /// The day it is due, such as `2026-11-21`.
    due: String,
}

impl Entity for Task {
    const COLLECTION: &'static str = "tasks";

    fn indexes() -> Vec<Index> {
        vec![Index::btree("by_project_and_due", ["project", "due"])]
    }

    fn validate(&self) -> Result<(), String> {
        if self.title.is_empty() {
            Err("a task needs a title".into())
        } else {
            Ok(())
        }
    }
}

/// As version 1.1 has them: the same, and how urgent.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct UrgentTask {
    #[serde(flatten)]
    task: Task,
    priority: u8,
}

impl Entity for UrgentTask {
    const COLLECTION: &'static str = Task::COLLECTION;

    fn indexes() -> Vec<Index> {
        let mut indexes = Task::indexes();
        indexes.push(Index::btree("by_priority", ["priority"]));
        indexes
    }
}

pub(crate) async fn version_1_0(storage: &Storage) -> Result<(), Error> {
    let (projects, tasks) = (storage.entities::<Project>(), storage.entities::<Task>());
    let home = projects.create(Project { name: "home".into() }).await?;
    for (title, due) in [
        ("paint the door", "2026-12-01"),
        ("sweep", "2026-11-22"),
        ("rest", "2026-12-24"),
    ] {
        let (project, title, due) = (home.id.to_string(), title.into(), due.into());
        tasks.create(Task { project, title, due }).await?;
    }

    // Names are unique.
    let again = projects.create(Project { name: "home".into() }).await;
    println!("a second one is refused: {}", again.is_err());

    // What is due until the middle of December, in the order of days.
    let home = home.id.as_str();
    let due = tasks
        .find_range("by_project_and_due", (home, "")..=(home, "2026-12-15"))
        .await?;
    for task in due.collect().await? {
        println!("{}: {}", task.due, task.title);
    }

    // Concurrent changes are applied one after the other.
    let first = tasks.list().await?.next().await?.ok_or("there is one")?;
    tasks
        .update(&first.id, |task| task.title.push_str(" green"))
        .await?;
    Ok(())
}

fn migrations(storage: &Storage) -> Result<Migrations, Error> {
    let mut migrations = Migrations::new(storage.clone());
    migrations.register(
        Migration::new("1.1.0", "tasks have a priority").up(Step::add_field("tasks", "priority", 3_i64)),
    )?;
    Ok(migrations)
}

async fn version_1_1(storage: &Storage) -> Result<(), Error> {
    let migrations = migrations(storage)?;
    migrations.migrate().await?;
    let tasks = storage.entities_with::<UrgentTask>(EntityOptions::new().migrations(migrations));
    for task in tasks.find_range("by_priority", ..=3).await?.collect().await? {
        println!("priority {}: {}", task.priority, task.task.title);
    }
    tasks.drop_index("by_priority").await?;
    Ok(())
}

async fn back_to_1_0(storage: &Storage) -> Result<(), Error> {
    migrations(storage)?.rollback_to("1.0.0").await?;
    let tasks = storage.entities::<Task>();
    println!("{} tasks as before", tasks.count(Query::all()).await?);
    Ok(())
}

/// Everything, on any storage.
pub(crate) async fn run(storage: &Storage) -> Result<(), Error> {
    version_1_0(storage).await?;
    version_1_1(storage).await?;
    back_to_1_0(storage).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let storage = storage_factory::entities_from_env("./tracker").await?;
    run(&storage).await?;
    storage.close().await?;
    Ok(())
}

//! Runs workloads, and looks at every state in which a crash may leave the disk.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::io::Errno;
use storage_core::{Durability, StorageAdapter};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use super::crash::{states, survivor};
use super::disk::Disk;
use super::event::Event;
use super::expected::Expected;
use super::failing::killed;
use super::mistake::Mistake;
use super::observation::{Observation, Observed, observe, temporaries};
use super::operation::{Answer, NOW, Operation};
use super::recorder::{Fault, Recorder};
use super::tree::Tree;
use super::workload::{Counts, Violation, Workload};
use crate::system::System;
use crate::{Fs, FsConfig, VersionKeeping};

/// Which crash is simulated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Crash {
    /// Of the machine: what was not synced may be there or not.
    Power,
    /// Of the process: the system goes on, and keeps everything.
    Process,
}

/// What a root is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Medium {
    /// As most disks are.
    Usual,
    /// Without attributes, so that versions are kept in times.
    WithoutAttributes,
    /// Without renaming where nothing has the name, so that files are linked.
    WithoutRenameNew,
}

/// A runtime, a place for real files, and what was counted.
#[derive(Debug)]
pub(crate) struct Explorer {
    pub(super) runtime: Runtime,
    scratch: TempDir,
    places: usize,
    durability: Durability,
    crash: Crash,
    medium: Medium,
    mistake: Option<Mistake>,
    pub(crate) counts: Counts,
    /// What was seen in the states of this workload.
    pub(super) seen: HashMap<u64, Observation>,
}

/// What a workload left behind.
pub(super) struct Run {
    /// Before the operation that was killed, if one was; before the last operation; after it.
    pub(super) shown: Vec<Observation>,
    /// What the last operation made certain.
    certain: &'static [&'static str],
    disk: Disk,
    events: Vec<Event>,
    /// Where the last operation begins.
    begin: usize,
    last: usize,
}

impl Explorer {
    pub(crate) fn new(durability: Durability, crash: Crash) -> Self {
        Self {
            runtime: tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap(),
            scratch: scratch(),
            places: 0,
            durability,
            crash,
            medium: Medium::Usual,
            mistake: None,
            counts: Counts::default(),
            seen: HashMap::new(),
        }
    }

    pub(crate) fn on(mut self, medium: Medium) -> Self {
        self.medium = medium;
        self
    }

    pub(crate) fn with_mistake(mut self, mistake: Mistake) -> Self {
        self.mistake = Some(mistake);
        self
    }

    /// Looks at every crash in the last operation of a workload. Those in earlier ones are another workload's.
    ///
    /// # Errors
    /// The first state that breaks a promise.
    pub(crate) fn explore(&mut self, workload: &Workload) -> Result<(), Violation> {
        self.counts.workloads += 1;
        self.seen.clear();
        let violated = |point: String, what| Violation {
            workload: workload.clone(),
            point,
            what,
        };
        let mut run = self
            .run(workload)
            .map_err(|what| violated("nothing".to_owned(), what))?;
        if let Some(mistake) = self.mistake {
            mistake.make(&mut run.events);
        }
        let mut disk = run.disk;
        for event in &run.events[..run.begin] {
            disk.apply(event);
        }
        let (mut expected, promised) = if workload.killed.is_some() {
            (
                Expected::Parts(run.shown.clone(), &[]),
                Expected::Parts(run.shown, run.certain),
            )
        } else {
            let after = run.shown[1..].to_vec();
            (self.one_of(run.shown), self.one_of(after))
        };
        let mut point = run.events[..run.begin].last();
        let mut rest = run.events[run.begin..].iter();
        loop {
            self.counts.points += 1;
            self.survives(&disk, &expected, 0)
                .map_err(|what| violated(format!("{point:?}"), what))?;
            let Some(event) = rest.next() else {
                return Ok(());
            };
            disk.apply(event);
            point = Some(event);
            if *event == Event::Answered(run.last) {
                expected = promised.clone();
            }
        }
    }

    /// Runs a workload on real files.
    pub(super) fn run(&mut self, workload: &Workload) -> Result<Run, String> {
        let place = self.place();
        let recorder = Recorder::over(&place).map_err(|errno| format!("nothing can be recorded: {errno}"))?;
        let config = self.config(&place, Some(&recorder));
        let last = workload.operations.len();
        let run = self.runtime.block_on(async {
            let mut shown = Vec::new();
            if let Some((operations, call)) = &workload.killed {
                shown.push(killed(&config, &recorder, operations, *call).await?);
            }
            let told = |error| format!("the workload fails: {error:?}");
            let mut begin = recorder.length();
            let mut answer = Answer::Done;
            let mut fs = Fs::open(config.clone()).await.map_err(told)?;
            recorder.answered(0);
            for (step, operation) in workload.operations.iter().enumerate() {
                if step + 1 == last {
                    shown.push(observe(&fs).await?.shown);
                    begin = recorder.length();
                }
                answer = operation.run(&mut fs, &config, step).await.map_err(told)?;
                recorder.answered(step + 1);
            }
            if last == 0 {
                shown.push(Observation::default());
            }
            let (disk, events) = (recorder.before(), recorder.events());
            shown.push(observe(&fs).await?.shown);
            let certain = match (answer, workload.operations.last()) {
                (Answer::Done, Some(operation)) => operation.changes(),
                _ => &[],
            };
            Ok(Run {
                shown,
                certain,
                disk,
                events,
                begin,
                last,
            })
        });
        remove(&place);
        run
    }

    /// How many calls the last of these operations makes, or opening a new root where there is none.
    pub(crate) fn calls(&mut self, operations: &[Operation]) -> usize {
        let place = self.place();
        let recorder = Recorder::over(&place).unwrap();
        let config = self.config(&place, Some(&recorder));
        let calls = self.runtime.block_on(async {
            let mut begin = 0;
            let mut fs = Fs::open(config.clone()).await.unwrap();
            for (step, operation) in operations.iter().enumerate() {
                begin = recorder.calls().len();
                operation.run(&mut fs, &config, step).await.unwrap();
            }
            recorder.calls().len() - begin
        });
        remove(&place);
        calls
    }

    /// Whether each state of the disk shows one of these.
    pub(super) fn survives(
        &mut self,
        disk: &Disk,
        expected: &Expected,
        crashes: usize,
    ) -> Result<(), String> {
        let trees = match self.crash {
            Crash::Power => {
                let (trees, sampled) = states(disk);
                self.counts.sampled += usize::from(sampled);
                trees
            }
            Crash::Process => vec![survivor(disk)],
        };
        for tree in trees {
            self.counts.states += 1;
            self.counts.again += usize::from(crashes > 0);
            let digest = tree.digest();
            if !self.seen.contains_key(&digest) {
                self.counts.distinct += 1;
                self.recover(&tree, digest, crashes)?;
            }
            let shown = &self.seen[&digest];
            if !expected.allows(shown) {
                return Err(format!("there is {shown:#?}, and expected was {expected:#?}"));
            }
        }
        Ok(())
    }

    /// Opens a state as the next process does, and looks at it.
    fn recover(&mut self, tree: &Tree, digest: u64, crashes: usize) -> Result<(), String> {
        let place = self.place();
        tree.put_on(&place)
            .map_err(|error| format!("the state cannot be made: {error}"))?;
        let recorder = Recorder::over(&place).map_err(|errno| format!("nothing can be recorded: {errno}"))?;
        let config = self.config(&place, Some(&recorder));
        let plain = self.config(&place, None);
        let recovered = self.runtime.block_on(async {
            let fs = opened(&config).await?;
            let first = observe(&fs).await?;
            let left = temporaries(&place.join("root"));
            if !left.is_empty() {
                return Err(format!("temporaries are left: {left:?}"));
            }
            let after_opening = recorder.length();
            let fs = opened(&plain).await?;
            fs.sweep(NOW)
                .await
                .map_err(|error| format!("it cannot be swept: {error:?}"))?;
            same("opening once more, or a sweep,", &first, &observe(&fs).await?)?;
            Ok((first, after_opening))
        });
        let recovered = match recovered {
            // What was cut off of a log is the next append's to remove.
            Ok((first, _)) if first.torn => self
                .append(&config, &plain, &recorder)
                .map(|then| (first.shown, Some(then), recorder.length())),
            Ok((first, after_opening)) => Ok((first.shown, None, after_opening)),
            Err(what) => Err(what),
        };
        remove(&place);
        let (first, then, length) = recovered?;
        let promised = self.one_of(vec![then.clone().unwrap_or_else(|| first.clone())]);
        let either = self.one_of(std::iter::once(first.clone()).chain(then).collect());
        self.seen.insert(digest, first);
        if crashes > 0 {
            return Ok(());
        }
        let mut disk = recorder.before();
        let mut expected = &either;
        for event in &recorder.events()[..length] {
            disk.apply(event);
            if matches!(event, Event::Answered(_)) {
                expected = &promised;
            }
            self.survives(&disk, expected, crashes + 1)
                .map_err(|what| format!("after a second crash, after {event:?}: {what}"))?;
        }
        Ok(())
    }

    fn append(
        &self,
        config: &FsConfig,
        plain: &FsConfig,
        recorder: &Arc<Recorder>,
    ) -> Result<Observation, String> {
        self.runtime.block_on(async {
            let mut fs = opened(config).await?;
            Operation::Append
                .run(&mut fs, config, 9)
                .await
                .map_err(|error| format!("an append after the crash fails: {error:?}"))?;
            recorder.answered(0);
            let fs = opened(plain).await?;
            let then = observe(&fs).await?;
            if then.torn {
                return Err("an append leaves what was cut off".to_owned());
            }
            Ok(then.shown)
        })
    }

    /// The versions are those that were told, unless the disk that is made of a state cannot give its files the numbers they had.
    fn one_of(&self, allowed: Vec<Observation>) -> Expected {
        match self.medium {
            Medium::WithoutAttributes => Expected::Alike(allowed),
            Medium::Usual | Medium::WithoutRenameNew => Expected::Whole(allowed),
        }
    }

    pub(super) fn config(&self, place: &Path, recorder: Option<&Arc<Recorder>>) -> FsConfig {
        // Temporaries are swept at once: their writers are gone.
        let mut config = FsConfig::new(place.join("root"))
            .durability(self.durability)
            .staging_max_age(Duration::ZERO);
        if self.medium == Medium::WithoutAttributes {
            config = config.versions(VersionKeeping::ModificationTime);
        }
        if let (Medium::WithoutRenameNew, Some(recorder)) = (self.medium, recorder) {
            recorder.fail(Some(Fault {
                only: "rename new",
                first: 1,
                errno: Errno::INVAL,
                persistent: true,
                made: false,
            }));
        }
        config.system = recorder.map(System::recorded).unwrap_or_default();
        config
    }

    pub(super) fn place(&mut self) -> PathBuf {
        self.places += 1;
        let place = self.scratch.path().join(self.places.to_string());
        std::fs::create_dir(&place).unwrap();
        place
    }
}

pub(super) async fn opened(config: &FsConfig) -> Result<Fs, String> {
    Fs::open(config.clone())
        .await
        .map_err(|error| format!("it cannot be opened: {error:?}"))
}

fn same(what: &str, before: &Observed, after: &Observed) -> Result<(), String> {
    if before.shown == after.shown {
        Ok(())
    } else {
        Err(format!(
            "{what} changes what is there from {:#?} to {:#?}",
            before.shown, after.shown
        ))
    }
}

pub(super) fn remove(place: &Path) {
    std::fs::remove_dir_all(place).unwrap();
}

/// In memory where there is such a disk and it keeps attributes: what is simulated is not the disk below.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let kept = |directory: &TempDir| {
        let file = std::fs::File::create(directory.path().join("probe")).ok()?;
        rustix::fs::fsetxattr(
            &file,
            crate::version::ATTRIBUTE,
            b"kept",
            rustix::fs::XattrFlags::empty(),
        )
        .ok()
    };
    let directory = TempDir::new_in(memory)
        .ok()
        .filter(|directory| kept(directory).is_some());
    directory.unwrap_or_else(|| {
        let directory = TempDir::new().unwrap();
        assert!(
            kept(&directory).is_some(),
            "the simulation needs a directory for temporary files that keeps user attributes; name one with TMPDIR"
        );
        directory
    })
}

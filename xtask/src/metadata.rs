//! What `cargo metadata` says about the workspace, as far as the steps ask.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

use serde::Deserialize;

use crate::Result;
use crate::cargo::{cargo, output};

#[derive(Deserialize)]
pub(crate) struct Metadata {
    packages: Vec<Package>,
    workspace_members: BTreeSet<String>,
    resolve: Resolve,
    pub(crate) target_directory: PathBuf,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) rust_version: Option<String>,
    /// The registries it may go to; `None` is any, empty is none.
    publish: Option<Vec<String>>,
    pub(crate) features: BTreeMap<String, Vec<String>>,
    pub(crate) manifest_path: PathBuf,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Deserialize)]
struct DependencyKind {
    /// `None` is a normal dependency.
    kind: Option<String>,
}

impl Metadata {
    pub(crate) fn read() -> Result<Self> {
        let json = output(&mut cargo([
            "metadata",
            "--format-version=1",
            "--all-features",
            "--locked",
        ]))?;
        Ok(serde_json::from_str(&json)?)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The workspace member of this name; an error says that it is not there.
    pub(crate) fn member(&self, name: &str) -> Result<&Package> {
        let found = self.members().find(|package| package.name == name);
        found.ok_or_else(|| format!("{name} is not a member of the workspace yet").into())
    }

    /// Everything the members need to be built, on any platform; what only tests need is left out.
    pub(crate) fn needed_to_build(&self) -> Vec<&Package> {
        let nodes: HashMap<&str, &Node> = self
            .resolve
            .nodes
            .iter()
            .map(|node| (node.id.as_str(), node))
            .collect();
        let mut needed: BTreeSet<&str> = BTreeSet::new();
        let mut waiting: Vec<&str> = self.workspace_members.iter().map(String::as_str).collect();
        while let Some(id) = waiting.pop() {
            if needed.insert(id) {
                let dependencies = nodes.get(id).into_iter().flat_map(|node| &node.deps);
                let built = dependencies.filter(|dependency| dependency.is_built_with_it());
                waiting.extend(built.map(|dependency| dependency.pkg.as_str()));
            }
        }
        self.packages
            .iter()
            .filter(|package| needed.contains(package.id.as_str()))
            .collect()
    }
}

impl Package {
    pub(crate) fn is_published(&self) -> bool {
        self.publish
            .as_ref()
            .is_none_or(|registries| !registries.is_empty())
    }
}

impl Dependency {
    fn is_built_with_it(&self) -> bool {
        self.dep_kinds
            .iter()
            .any(|dependency| dependency.kind.as_deref() != Some("dev"))
    }
}

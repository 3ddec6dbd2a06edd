//! [`Expected`]: what a state may show.

use super::observation::{Observation, PARTS};

/// What a state may show.
#[derive(Debug, Clone)]
pub(crate) enum Expected {
    /// One of these.
    Whole(Vec<Observation>),
    /// One of these, whatever its versions.
    Alike(Vec<Observation>),
    /// Of each thing what one of these shows, and of these things what the last shows.
    Parts(Vec<Observation>, &'static [&'static str]),
}

impl Expected {
    /// Whether this is such a state.
    pub(crate) fn allows(&self, shown: &Observation) -> bool {
        match self {
            Self::Whole(allowed) => allowed.contains(shown),
            Self::Alike(allowed) => {
                let shown = shown.clone().without_versions();
                allowed
                    .iter()
                    .any(|allowed| allowed.clone().without_versions() == shown)
            }
            Self::Parts(allowed, certain) => PARTS.iter().all(|part| {
                let from = if certain.contains(part) {
                    allowed.len() - 1
                } else {
                    0
                };
                allowed[from..]
                    .iter()
                    .any(|allowed| allowed.part(part) == shown.part(part))
            }),
        }
    }
}

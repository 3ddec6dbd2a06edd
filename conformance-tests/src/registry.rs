//! Every case there is.

use std::sync::LazyLock;

use crate::case::Case;
use crate::cases::GROUPS;

static CASES: LazyLock<Vec<&'static Case>> = LazyLock::new(|| GROUPS.iter().copied().flatten().collect());

/// Every case, group by group.
pub fn cases() -> &'static [&'static Case] {
    &CASES
}

/// The case of this id; `_` is as good as `-`, which is how tests are named.
pub fn case(id: &str) -> Option<&'static Case> {
    let id = id.replace('_', "-");
    cases().iter().copied().find(|case| case.id == id)
}

//! Every case there is.

use crate::case::Case;
use crate::suite::Suite;

/// The case of this id, in whichever suite; `_` is as good as `-`, which is how tests are named.
pub fn case(id: &str) -> Option<&'static Case> {
    let id = id.replace('_', "-");
    let mut cases = Suite::ALL.iter().flat_map(|suite| suite.cases());
    cases.find(|case| case.id == id)
}

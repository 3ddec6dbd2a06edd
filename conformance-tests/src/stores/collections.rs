//! The cases of `storage_stores::collections`.

use crate::suite::groups;

groups! { ($) collections_suite: }

//! The cases of `storage_stores::chunks`.

use crate::suite::groups;

groups! { ($) chunks_suite: }

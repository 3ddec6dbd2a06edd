//! The cases of `storage_stores::collections`.

mod entity_basics;
mod entity_index;
mod sample;

use crate::suite::groups;

groups! { ($) collections_suite:
    entity_basics
    entity_index
}

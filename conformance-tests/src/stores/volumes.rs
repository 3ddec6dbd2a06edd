//! The cases of `storage_stores::volumes`.

mod block_basics;
mod block_collect;
mod block_damage;
mod event_faults;
mod event_order;
mod sample;
mod volume_basics;
mod volume_crash;
mod volume_format;
mod volume_races;
mod volume_replicas;

use crate::suite::groups;

groups! { ($) volumes_suite:
    block_basics
    block_collect
    block_damage
    event_faults
    event_order
    volume_basics
    volume_crash
    volume_format
    volume_races
    volume_replicas
}

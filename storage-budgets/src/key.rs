//! The name of an object, checked.

use std::hint::black_box;

use storage_core::Key;

use crate::Outcome;

pub(crate) fn parse(times: u64) -> Outcome {
    for _ in 0..times {
        black_box(Key::new(black_box("users/ada/notes/2024-02-29.json"))?);
    }
    Ok(())
}

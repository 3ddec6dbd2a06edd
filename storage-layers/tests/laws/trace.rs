use std::fmt::{Debug, Write};
use std::sync::{Arc, Mutex};

use storage_core::*;
use storage_layers::Trace;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::key;

/// Writes down every field of every span of ours.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<String>>);

impl Visit for Notes {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0.lock().unwrap(), "{field}={value:?} ").unwrap();
    }
}

impl Subscriber for Notes {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span() && metadata.target() == "storage_layers::trace"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        span.record(&mut self.clone());
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, _: &Event<'_>) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

async fn noted(keys: bool) -> String {
    let notes = Notes::default();
    let guard = tracing::subscriber::set_default(notes.clone());
    let adapter = Trace::new(Memory::new()).with_keys(keys);
    let stale = WriteRequest::when(Condition::IfVersion(Version::random()));
    adapter
        .write(Area::Objects, &key("whose"), "value".into(), stale)
        .await
        .unwrap_err();
    drop(guard);
    std::mem::take(&mut *notes.0.lock().unwrap())
}

#[tokio::test]
async fn a_span_says_what_was_asked_and_what_came_of_it_and_no_key_unless_asked_for() {
    let text = noted(false).await;
    for part in [
        "backend=\"memory\"",
        "operation=\"write\"",
        "sent=5",
        "outcome=\"precondition-failed\"",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("whose") && !text.contains("value"), "{text}");
    let text = noted(true).await;
    assert!(text.contains("whose") && !text.contains("value"), "{text}");
}

use std::time::Duration;

use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use storage_core::*;
use storage_layers::{Fault, FaultAction, FaultPlan, FaultRule, Metrics};

use crate::key;

/// Every series as `name{label=value,…}`, with its value. Durations count as how many there were.
fn series(snapshotter: &Snapshotter) -> Vec<(String, f64)> {
    let value = |value| match value {
        DebugValue::Counter(count) => count as f64,
        DebugValue::Gauge(value) => value.into_inner(),
        DebugValue::Histogram(values) => values.len() as f64,
    };
    let snapshot = snapshotter.snapshot().into_vec();
    let mut series: Vec<_> = snapshot
        .into_iter()
        .map(|(key, _, _, found)| {
            let (name, labels) = key.key().clone().into_parts();
            let labels: Vec<_> = labels
                .iter()
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            (format!("{}{{{}}}", name.as_str(), labels.join(",")), value(found))
        })
        .collect();
    series.sort_by(|one, two| one.0.cmp(&two.0));
    series
}

#[tokio::test]
async fn calls_are_counted_by_operation_and_outcome_with_their_bytes_and_never_a_key() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = ::metrics::set_default_local_recorder(&recorder);
    let adapter = Metrics::new(Memory::new()).label("layer", "top");
    let secret = key("secret-name");
    let create = WriteRequest::when(Condition::IfAbsent);
    adapter
        .write(Area::Objects, &secret, "12345".into(), create.clone())
        .await
        .unwrap();
    adapter
        .write(Area::Objects, &secret, "12345".into(), create)
        .await
        .unwrap_err();
    adapter
        .read(Area::Objects, &secret, ReadRequest::default())
        .await
        .unwrap();
    let expected = [
        (
            "storage_operation_duration_seconds{backend=memory,layer=top,operation=read,outcome=ok}",
            1.0,
        ),
        (
            "storage_operation_duration_seconds{backend=memory,layer=top,operation=write,outcome=already-exists}",
            1.0,
        ),
        (
            "storage_operation_duration_seconds{backend=memory,layer=top,operation=write,outcome=ok}",
            1.0,
        ),
        ("storage_operations_in_flight{backend=memory,layer=top}", 0.0),
        (
            "storage_operations_total{backend=memory,layer=top,operation=read,outcome=ok}",
            1.0,
        ),
        (
            "storage_operations_total{backend=memory,layer=top,operation=write,outcome=already-exists}",
            1.0,
        ),
        (
            "storage_operations_total{backend=memory,layer=top,operation=write,outcome=ok}",
            1.0,
        ),
        (
            "storage_received_bytes_total{backend=memory,layer=top,operation=read}",
            5.0,
        ),
        (
            "storage_sent_bytes_total{backend=memory,layer=top,operation=write}",
            10.0,
        ),
    ];
    let expected: Vec<_> = expected.map(|(name, value)| (name.to_owned(), value)).into();
    assert_eq!(series(&snapshotter), expected);
}

#[tokio::test(start_paused = true)]
async fn a_caller_that_went_away_is_counted_and_no_longer_under_way() {
    let recorder = DebuggingRecorder::new();
    let snapshotter = recorder.snapshotter();
    let _guard = ::metrics::set_default_local_recorder(&recorder);
    let slow = FaultRule::new(FaultAction::DelayBefore(Duration::from_secs(60)));
    let adapter = Metrics::new(Fault::new(Memory::new(), FaultPlan::new([slow])));
    let key = key("a");
    let call = adapter.stat(Area::Objects, &key);
    tokio::time::timeout(Duration::from_secs(1), call)
        .await
        .unwrap_err();
    let series = series(&snapshotter);
    let value = |name: &str| {
        series
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| *value)
    };
    assert_eq!(value("storage_operations_in_flight{backend=memory}"), Some(0.0));
    let cancelled = "storage_operations_total{backend=memory,operation=stat,outcome=cancelled}";
    assert_eq!(value(cancelled), Some(1.0));
}

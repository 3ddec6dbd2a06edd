//! What goes in comes out, and is stored under the names the predecessor gave it.

use storage_core::Timestamp;
use storage_core::bson::{Bson, DateTime, Document, bson, doc, oid::ObjectId};
use storage_stores::executions::{Execution, ExecutionState, ExecutionStorage, Program};

use crate::place::{Place, execution, laws, program};

laws! {
    a_program_comes_back_as_it_was_saved,
    an_execution_comes_back_as_it_was_saved,
    every_value_keeps_its_type,
    unknown_fields_survive,
    an_extra_field_cannot_shadow_a_known_one,
    documents_have_the_predecessors_field_names,
    what_the_predecessor_stored_is_read,
    serde_writes_what_it_reads,
    saving_replaces_the_whole_document,
    state_does_not_hold_output,
}

async fn a_program_comes_back_as_it_was_saved(place: &Place) {
    let storage = place.open().await;
    let mut program = Program::new(
        "p",
        "Grüße 🦀",
        "line 1\nline 2",
        bson!([{ "op": "PUSH", "arg": 1_i64 }, null]),
    );
    program.created = Timestamp::from_millis(1_700_000_000_123);
    program.updated = Some(Timestamp::from_millis(-1));
    storage.save_program(&program).await.unwrap();
    assert_eq!(place.open().await.get_program("p").await.unwrap(), Some(program));
    assert_eq!(storage.get_program("q").await.unwrap(), None);
}

async fn an_execution_comes_back_as_it_was_saved(place: &Place) {
    let storage = place.open().await;
    let mut full = execution("e", ExecutionState::AwaitingCognitiveResult);
    full.program_id = "a program".to_owned();
    full.pc = i64::MAX;
    full.stack = vec![bson!(1_i64), bson!("two"), bson!([3.0])];
    full.variables = doc! { "b": 1_i64, "a": { "nested": [null, true] } };
    full.iterators = Some(bson!([{ "index": 2_i64 }]));
    full.heap = Some(bson!({ "objects": {}, "nextId": 7_i64 }));
    full.error = Some("broke".to_owned());
    full.prompt = Some("Say hello".to_owned());
    full.return_value = Some(Bson::Null);
    full.updated = Some(Timestamp::from_millis(5));
    let plain = execution("plain", ExecutionState::Other("PAUSED".to_owned()));
    for execution in [full, plain] {
        storage.save_execution(&execution).await.unwrap();
        let back = place.open().await.get_execution(&execution.id).await.unwrap();
        assert_eq!(back, Some(execution));
    }
    assert_eq!(storage.get_execution("nobody").await.unwrap(), None);
}

/// The predecessor turned NaN into null, dates into strings and maps into `{}`.
async fn every_value_keeps_its_type(place: &Place) {
    let storage = place.open().await;
    let mut execution = execution("e", ExecutionState::Running);
    execution.variables = doc! {
        "float": 1.0,
        "integer": 1_i64,
        "large": i64::MAX,
        "minus zero": -0.0,
        "infinity": f64::INFINITY,
        "date": DateTime::from_millis(1_700_000_000_123),
        "object id": ObjectId::from_bytes([7; 12]),
        "bytes": Bson::Binary(storage_core::bson::Binary {
            subtype: storage_core::bson::spec::BinarySubtype::Generic,
            bytes: vec![0, 255],
        }),
        "text like a date": "2024-01-01T00:00:00.000Z",
        "document like an object id": { "$oid": "07070707070707070707070a" },
        "document like a date": { "$date": "2024-01-01T00:00:00Z" },
        "empty": {},
    };
    storage.save_execution(&execution).await.unwrap();
    let back = place.open().await.get_execution("e").await.unwrap().unwrap();
    assert_eq!(back, execution);
    let minus_zero = back.variables.get_f64("minus zero").unwrap();
    assert!(minus_zero.is_sign_negative());

    // NaN equals nothing, itself included.
    execution.variables = doc! { "nan": f64::NAN };
    storage.save_execution(&execution).await.unwrap();
    let back = storage.get_execution("e").await.unwrap().unwrap();
    assert!(back.variables.get_f64("nan").unwrap().is_nan());
}

async fn unknown_fields_survive(place: &Place) {
    let storage = place.open().await;
    let extra = doc! { "z": 1_i64, "a": { "$oid": "x" }, "output": ["not ours"], "n": null };
    let mut execution = execution("e", ExecutionState::Ready);
    execution.extra = extra.clone();
    storage.save_execution(&execution).await.unwrap();
    let mut program = program("p");
    program.extra = extra.clone();
    storage.save_program(&program).await.unwrap();

    let mut execution = storage.get_execution("e").await.unwrap().unwrap();
    execution.pc = 1;
    storage.save_execution(&execution).await.unwrap();
    let execution = storage.get_execution("e").await.unwrap().unwrap();
    let program = storage.get_program("p").await.unwrap().unwrap();
    for back in [execution.extra, program.extra] {
        assert_eq!(back, extra);
        assert_eq!(
            back.keys().collect::<Vec<_>>(),
            ["z", "a", "output", "n"],
            "in their order"
        );
    }
}

async fn an_extra_field_cannot_shadow_a_known_one(place: &Place) {
    let storage = place.open().await;
    for name in ["pc", "programId", "_id", "_storage"] {
        let mut execution = execution("e", ExecutionState::Ready);
        execution.extra = doc! { name: 1_i64 };
        let error = storage.save_execution(&execution).await.unwrap_err();
        assert_eq!(
            error.kind(),
            storage_core::ErrorKind::InvalidArgument,
            "{name}: {error}"
        );
    }
    assert_eq!(storage.get_execution("e").await.unwrap(), None);
}

async fn documents_have_the_predecessors_field_names(place: &Place) {
    let storage = place.open().await;
    let mut execution = execution("e", ExecutionState::Completed);
    execution.created = Timestamp::from_millis(1_000);
    execution.return_value = Some(bson!(42_i64));
    storage.save_execution(&execution).await.unwrap();
    storage.set_current_execution_id(Some("e")).await.unwrap();
    let stored = storage
        .collection::<Document>("executions")
        .get("e")
        .await
        .unwrap()
        .unwrap()
        .value;
    let expected = doc! {
        "id": "e", "programId": "p", "state": "COMPLETED", "pc": 0_i64, "stack": [], "variables": {},
        "returnValue": 42_i64, "created": DateTime::from_millis(1_000),
    };
    assert_eq!(stored, expected);
    let current = storage
        .collection::<Document>("metadata")
        .get("current")
        .await
        .unwrap()
        .unwrap()
        .value;
    assert_eq!(current, doc! { "currentExecutionId": "e" });
}

/// Times as text, numbers as floats, `ccPrompt`, and fields of its own.
async fn what_the_predecessor_stored_is_read(place: &Place) {
    let storage = place.open().await;
    let stored = doc! {
        "id": "exec-123", "programId": "hello-world", "state": "RUNNING", "pc": 3.0, "stack": [1.5], "variables": {},
        "created": "2024-02-29T12:00:00.250Z", "ccPrompt": "Say hello", "output": ["x"], "error": null,
    };
    storage
        .collection::<Document>("executions")
        .put("exec-123", &stored)
        .await
        .unwrap();
    let execution = storage.get_execution("exec-123").await.unwrap().unwrap();
    assert_eq!(execution.created, Timestamp::from_millis(1_709_208_000_250));
    assert_eq!(
        (execution.pc, execution.prompt.as_deref()),
        (3, Some("Say hello"))
    );
    assert_eq!(
        (execution.error, execution.extra),
        (None, doc! { "output": ["x"] })
    );

    let json = r#"{ "id": "p", "name": "n", "source": "s", "bytecode": [{ "op": "HALT" }],
                    "created": "2024-02-29T12:00:00.250Z", "tags": ["kept"] }"#;
    let program: Program = serde_json::from_str(json).unwrap();
    assert_eq!(program.created, Timestamp::from_millis(1_709_208_000_250));
    assert_eq!(program.extra, doc! { "tags": ["kept"] });
}

async fn serde_writes_what_it_reads(place: &Place) {
    let storage = place.open().await;
    let mut execution = execution("e", ExecutionState::Error);
    execution.variables = doc! { "when": DateTime::from_millis(5), "n": 1_i64 };
    storage.save_execution(&execution).await.unwrap();
    let back = storage.get_execution("e").await.unwrap().unwrap();
    let json = serde_json::to_string(&back).unwrap();
    assert!(json.contains(r#""programId":"p""#), "{json}");
    assert_eq!(serde_json::from_str::<Execution>(&json).unwrap().program_id, "p");
    let error = serde_json::from_str::<Execution>(r#"{ "id": "e" }"#).unwrap_err();
    assert!(error.to_string().contains("programId"), "{error}");
}

async fn saving_replaces_the_whole_document(place: &Place) {
    let storage = place.open().await;
    let mut execution = execution("e", ExecutionState::Running);
    execution.variables = doc! { "old": 1_i64 };
    execution.error = Some("old".to_owned());
    execution.extra = doc! { "old": 1_i64 };
    storage.save_execution(&execution).await.unwrap();
    let fresh = crate::place::execution("e", ExecutionState::Ready);
    storage.save_execution(&fresh).await.unwrap();
    assert_eq!(storage.get_execution("e").await.unwrap(), Some(fresh));
}

async fn state_does_not_hold_output(place: &Place) {
    let storage = place.open().await;
    storage
        .save_execution(&execution("e", ExecutionState::Running))
        .await
        .unwrap();
    storage
        .append_output("e", ["a line nobody else has"])
        .await
        .unwrap();
    let stored = storage
        .collection::<Document>("executions")
        .get("e")
        .await
        .unwrap()
        .unwrap()
        .value;
    assert!(!stored.to_string().contains("nobody else"), "{stored}");
}

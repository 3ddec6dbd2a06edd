use std::sync::Arc;

use futures::FutureExt;
use storage_core::*;
use storage_layers::{Fault, FaultAction, FaultPlan, FaultRule, Operation};

use crate::key;

fn faulty(memory: &Memory, rule: FaultRule) -> (Fault<Memory>, FaultPlan) {
    let plan = FaultPlan::new([rule]);
    (Fault::new(memory.clone(), plan.clone()), plan)
}

async fn write(adapter: &impl StorageBackend) -> Result<Version> {
    adapter
        .write(Area::Objects, &key("a"), "1".into(), WriteRequest::default())
        .await
}

async fn is_there(memory: &Memory) -> bool {
    memory.stat(Area::Objects, &key("a")).await.unwrap().is_some()
}

#[tokio::test]
async fn a_fault_before_has_no_effect_and_one_after_has_it() {
    for (action, there, applied) in [
        (FaultAction::Before(ErrorKind::Unavailable), false, Applied::No),
        (FaultAction::After(ErrorKind::Unavailable), true, Applied::Unknown),
    ] {
        let memory = Memory::new();
        let (adapter, plan) = faulty(&memory, FaultRule::new(action).at(0));
        let error = write(&adapter).await.unwrap_err();
        assert_eq!((error.applied(), is_there(&memory).await), (applied, there));
        assert_eq!((plan.calls(), plan.struck()), (1, 1));
        write(&adapter).await.unwrap();
    }
}

#[tokio::test]
async fn somebody_else_can_come_right_before_a_call() {
    let memory = Memory::new();
    let other = memory.clone();
    let meanwhile = FaultAction::Meanwhile(Arc::new(move || {
        let other = other.clone();
        async move { write(&other).await.map(drop).unwrap() }.boxed()
    }));
    let (adapter, _) = faulty(&memory, FaultRule::new(meanwhile).on(&[Operation::Write]).at(0));
    let create = WriteRequest::when(Condition::IfAbsent);
    let refused = adapter.write(Area::Objects, &key("a"), "2".into(), create).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::AlreadyExists);
}

#[tokio::test]
async fn a_writer_goes_wrong_at_the_step_that_is_planned() {
    let memory = Memory::new();
    let rule = FaultRule::new(FaultAction::After(ErrorKind::Io)).on(&[Operation::FinishWrite]);
    let adapter = Arc::new(faulty(&memory, rule).0);
    let mut writer = adapter
        .open_writer(Area::Objects, &key("a"), WriteRequest::default())
        .await
        .unwrap();
    writer.write("1".into()).await.unwrap();
    assert_eq!(writer.finish().await.unwrap_err().applied(), Applied::Unknown);
    assert!(is_there(&memory).await);
}

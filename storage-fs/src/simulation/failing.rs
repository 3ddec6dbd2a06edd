//! Operations some of whose calls fail.

use rustix::io::Errno;
use storage_core::Applied;

use super::expected::Expected;
use super::explorer::{Explorer, opened, remove};
use super::observation::{Observation, observe};
use super::operation::Operation;
use super::recorder::{Fault, Recorder};
use super::workload::{Violation, Workload};
use crate::{Fs, FsConfig};

impl Explorer {
    /// Makes calls of the last operation fail, and looks at what it says of it and at every state after a loss of power.
    ///
    /// # Errors
    /// A state that is not what the answer says.
    pub(crate) fn fail(&mut self, operations: &[Operation], fault: Fault) -> Result<(), Violation> {
        self.counts.workloads += 1;
        self.seen.clear();
        let violated = |what| Violation {
            workload: Workload::of(operations.to_vec()),
            point: format!("{fault:?}"),
            what,
        };
        self.failed(operations, fault).map_err(violated)
    }

    fn failed(&mut self, operations: &[Operation], fault: Fault) -> Result<(), String> {
        let good = self.run(&Workload::of(operations.to_vec()))?.shown;
        let place = self.place();
        let recorder = Recorder::over(&place).map_err(|errno| format!("nothing can be recorded: {errno}"))?;
        let config = self.config(&place, Some(&recorder));
        let run = self.runtime.block_on(async {
            let told = |error| format!("the workload fails before it was to: {error:?}");
            let mut fs = Fs::open(config.clone()).await.map_err(told)?;
            let Some((operation, earlier)) = operations.split_last() else {
                return Err("no operation is to fail".to_owned());
            };
            for (step, operation) in earlier.iter().enumerate() {
                operation.run(&mut fs, &config, step).await.map_err(told)?;
            }
            let before = observe(&fs).await?.shown;
            recorder.fail(Some(fault));
            let answer = operation.run(&mut fs, &config, earlier.len()).await;
            recorder.fail(None);
            // The handle may only read from here on; another sees what there is.
            let now = observe(&opened(&config).await?).await?.shown;
            Ok((before, answer, now))
        });
        remove(&place);
        let (before, answer, now) = run?;
        let expected = match answer {
            // Nothing may be acknowledged that is not there, and stays there.
            Ok(_) => Expected::Alike(vec![good[1].clone()]),
            Err(error) if error.applied() == Applied::No => Expected::Whole(vec![before]),
            Err(_) => Expected::Alike(vec![before, good[1].clone()]),
        };
        if !expected.allows(&now) {
            return Err(format!("there is {now:#?}, and expected was {expected:#?}"));
        }
        let mut disk = recorder.before();
        for event in &recorder.events() {
            disk.apply(event);
        }
        self.counts.points += 1;
        self.survives(&disk, &expected, 1)
    }
}

/// Does what a process does that is killed at a call of its last operation: from then on nothing it does changes anything. Gives what
/// there was before that operation.
pub(super) async fn killed(
    config: &FsConfig,
    recorder: &Recorder,
    operations: &[Operation],
    call: usize,
) -> Result<Observation, String> {
    let fault = Fault {
        only: "",
        first: call,
        errno: Errno::IO,
        persistent: true,
        made: false,
    };
    let mut before = Observation::default();
    if operations.is_empty() {
        recorder.fail(Some(fault));
    }
    // Whatever it says from then on: nobody is there to hear it.
    if let Ok(mut fs) = Fs::open(config.clone()).await {
        for (step, operation) in operations.iter().enumerate() {
            if step + 1 == operations.len() {
                before = observe(&fs).await?.shown;
                recorder.fail(Some(fault));
            }
            let _ = operation.run(&mut fs, config, step).await;
        }
    }
    recorder.fail(None);
    Ok(before)
}

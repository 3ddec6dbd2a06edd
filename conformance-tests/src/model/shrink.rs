//! Makes a sequence that fails short: leaves out what it fails without, in ever smaller pieces, then makes what is left simple.

use futures::future::BoxFuture;

use super::operation::{Operation, Step, When};
use crate::processes::Moment;

/// How often a sequence is played again at most; each time takes a place of its own.
const MOST_REPLAYS: usize = 600;

/// The shortest sequence found for which `fails` says true, which it says of the one given.
pub(super) async fn shortest<'a>(
    steps: Vec<Step>,
    fails: impl Fn(Vec<Step>) -> BoxFuture<'a, bool> + Send + Sync,
) -> Vec<Step> {
    let (mut best, mut left) = (steps, MOST_REPLAYS);
    let mut chunk = best.len().div_ceil(2);
    while chunk > 0 && left > 0 {
        let mut shorter = false;
        let mut at = 0;
        while at < best.len() && left > 0 {
            let mut without = best.clone();
            without.drain(at..(at + chunk).min(best.len()));
            left -= 1;
            if fails(without.clone()).await {
                best = without;
                shorter = true;
            } else {
                at += chunk;
            }
        }
        if chunk > 1 || !shorter {
            chunk /= 2;
        }
    }
    for at in 0..best.len() {
        for simpler in simpler(&best[at]) {
            let mut changed = best.clone();
            changed[at] = simpler;
            if left > 0 && fails(changed.clone()).await {
                best = changed;
            }
            left = left.saturating_sub(1);
        }
    }
    best
}

/// The same step with less to it, one thing at a time.
fn simpler(step: &Step) -> Vec<Step> {
    let mut all = Vec::new();
    if step.client > 0 {
        all.push(Step {
            client: 0,
            ..step.clone()
        });
    }
    let mut add = |operation: Operation| {
        all.push(Step {
            client: step.client,
            operation,
        });
    };
    match &step.operation {
        Operation::Write { key, content, when } if content.length > 5 => {
            let mut content = *content;
            content.length = 5;
            let (key, when) = (key.clone(), *when);
            add(Operation::Write { key, content, when });
        }
        Operation::Put {
            collection,
            document,
            fence,
        } => {
            let mut bodies = vec![storage_core::bson::Document::new()];
            for (name, value) in &document.body {
                bodies.push(storage_core::bson::doc! { name: value.clone() });
            }
            for body in bodies {
                let mut document = document.clone();
                document.body = body;
                add(Operation::Put {
                    collection: collection.clone(),
                    document: document.clone(),
                    fence: fence.clone(),
                });
                document.when = When::Always;
                document.expires_in = None;
                add(Operation::Put {
                    collection: collection.clone(),
                    document,
                    fence: None,
                });
            }
        }
        Operation::CrashRestart { during, moment } => {
            add((**during).clone());
            let crash = |during: Operation, moment| Operation::CrashRestart {
                during: Box::new(during),
                moment,
            };
            if *moment != Moment::Answered {
                add(crash((**during).clone(), Moment::Answered));
            }
            let during = Step {
                client: 0,
                operation: (**during).clone(),
            };
            for simpler in simpler(&during) {
                add(crash(simpler.operation, *moment));
            }
        }
        Operation::Commit { writes } => {
            for left_out in 0..writes.len() {
                let mut writes = writes.clone();
                writes.remove(left_out);
                add(Operation::Commit { writes });
            }
        }
        _ => {}
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advance(milliseconds: u64) -> Step {
        Step {
            client: 0,
            operation: Operation::AdvanceClock { milliseconds },
        }
    }

    #[tokio::test]
    async fn what_a_failure_needs_is_left_and_nothing_else() {
        let steps: Vec<Step> = (0..300).map(advance).collect();
        let (first, second) = (advance(17), advance(250));
        let needs_both = |steps: Vec<Step>| -> BoxFuture<'static, bool> {
            let fails = steps.contains(&first) && steps.contains(&second);
            Box::pin(async move { fails })
        };
        assert_eq!(shortest(steps, needs_both).await, [advance(17), advance(250)]);
    }
}

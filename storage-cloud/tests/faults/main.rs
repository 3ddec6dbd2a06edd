//! What writers are told when the network and the server have a bad day, held against what the server has. Each law has a server of
//! its own, versitygw, behind a proxy that makes the faults.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bench;
mod hanging;
mod history;
mod passing;
mod reading;

use std::process::ExitCode;

use test_servers::{Native, Trial, run_natives, trial};

use crate::bench::Bench;

/// The tests of these laws, named by their paths.
macro_rules! laws {
    ($server:expr; $($file:ident { $($law:ident,)* })*) => {{
        let server: Native = $server;
        let mut tests: Vec<Trial> = Vec::new();
        $($(
            let name = format!("{}::{}::{}", server.name(), stringify!($file), stringify!($law));
            tests.push(trial(name, move || async move { $file::$law(Bench::on(server).await).await }));
        )*)*
        tests
    }};
}

fn main() -> ExitCode {
    run_natives(&[Native::Versitygw], |server| {
        laws! { server;
            hanging {
                a_conditional_write_is_found_again_when_only_its_answer_hangs,
                a_write_nobody_answers_ends_and_says_that_nothing_is_known,
                a_write_that_arrives_late_was_not_called_undone,
                what_somebody_else_wrote_meanwhile_stays_and_the_outcome_is_unknown,
            }
            history {
                no_acknowledged_swap_is_lost_and_none_is_there_twice,
            }
            passing {
                a_condition_that_does_not_hold_is_refused_also_when_it_is_sent_twice,
                a_conditional_write_outlives_every_passing_fault,
                a_deletion_is_sent_once_and_tells_what_it_knows,
                a_streamed_write_whose_end_is_lost_tells_what_it_knows,
                a_write_done_and_answered_with_429_is_not_called_undone,
                a_write_that_meets_another_request_for_ever_comes_to_an_end,
                a_write_that_met_another_request_is_sent_again,
                an_unconditional_write_is_sent_once_and_tells_what_it_knows,
            }
            reading {
                a_client_works_on_as_soon_as_the_network_is_back,
                a_read_gives_the_whole_object_or_an_error,
            }
        }
    })
}

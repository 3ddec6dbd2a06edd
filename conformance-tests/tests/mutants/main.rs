//! The suite is tested too: adapters with one known fault each must be caught by the cases that are named for it.
//!
//! A mutant is a [`Fault`]: the reference adapter, one method of which is replaced. [`kills!`] makes its test.

#![allow(clippy::unwrap_used, reason = "a mutant that cannot go on panics")]

mod conditions;
mod declaration;
mod documents;
mod frame;
mod listing;
mod logs;
mod names;
mod objects;
mod overlay;
mod queries;
mod watch;

/// `kills! { Fault: "case", "case"; … }` makes a test of each mutant: every case named must fail on it, or time out.
macro_rules! kills {
    ($($fault:ident: $($case:literal),+;)+) => {
        $(
            #[allow(non_snake_case, reason = "the test has the mutant's name")]
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $fault() {
                $crate::frame::assert_killed::<super::$fault>(stringify!($fault), &[$($case),+]).await;
            }
        )+
    };
}
pub(crate) use kills;

/// `found! { Fault: 3, … }` makes a test of each mutant: the model finds it with random operations alone, in so many steps at most.
macro_rules! found {
    ($($fault:ident: $most_steps:literal),+ $(,)?) => {
        mod found {
            $(
                #[allow(non_snake_case, reason = "the test has the mutant's name")]
                #[tokio::test]
                async fn $fault() {
                    $crate::frame::assert_found::<super::$fault>(module_path!(), stringify!($fault), $most_steps).await;
                }
            )+
        }
    };
}
pub(crate) use found;

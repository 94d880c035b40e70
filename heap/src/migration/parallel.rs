//! Work on both cores.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use crate::error::{Error, Result};

/// Does every piece of work, on a second thread as well; what each returned, in order.
///
/// # Errors
/// The first error by this thread, else by the other one.
pub(crate) fn in_parallel<T: Sync, R: Send>(work: &[T], run: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(piece) = work.get(number) else { return Ok(done) };
            done.push((number, run(piece)?));
        }
    };
    let mut done = thread::scope(|scope| {
        let helper =
            (work.len() > 1).then(|| thread::Builder::new().name("migration".into()).spawn_scoped(scope, take));
        let own = take();
        let others = match helper {
            Some(Ok(helper)) => helper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // Without a second thread this one has done it all.
            _ => Ok(Vec::new()),
        };
        let mut done: Vec<(usize, R)> = own?;
        done.extend(others?);
        Ok::<_, Error>(done)
    })?;
    done.sort_unstable_by_key(|&(number, _)| number);
    Ok(done.into_iter().map(|(_, result)| result).collect())
}

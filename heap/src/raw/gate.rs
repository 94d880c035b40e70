//! Who may be in the arena: one writer, or any number of readers, in the order in which they came.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::{Space, Undo, View, Writing};

/// Places to wait at.
const TURNS: usize = 32;

/// How long a writer that runs may go before one that is being woken: to be woken takes longer than most transactions,
/// and where each waits for the one before it to wake up, all of them come to wait.
const PATIENCE: Duration = Duration::from_micros(500);

/// How often a writer looks whether the gate is free before it sleeps, and how long it spins in between.
const LOOKS: usize = 16;
const SPINS: usize = 4;

/// A fair lock that knows which threads hold it: who waits is let in when its turn comes, or little later.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    /// Who waits with ticket `t` waits at `t % TURNS`: a change wakes those whose turn it may be, not everybody.
    changed: [Condvar; TURNS],
}

#[derive(Debug, Default)]
struct State {
    writer: Option<ThreadId>,
    readers: Vec<ThreadId>,
    /// The next ticket to give, and the one whose turn it is.
    next: u64,
    turn: u64,
    /// Tickets given up before their turn.
    abandoned: Vec<u64>,
    /// When who has the turn was first called, and whether it was called since it last looked.
    called: Option<Instant>,
    is_called: bool,
    /// Empty; kept for its memory, while no writer has it.
    undo: Undo,
}

/// A thread, among those that live: found by a load, where the standard library's counts a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct ThreadId(libc::pthread_t);

impl ThreadId {
    #[inline(always)]
    fn here() -> Self {
        // SAFETY: the call has no conditions.
        Self(unsafe { libc::pthread_self() })
    }
}

/// Why a guard was not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The thread holds a guard that the new one would wait for.
    Deadlock {
        /// "read" or "write".
        held: &'static str,
    },
    /// The time was over.
    TimedOut,
}

/// A reader's access to a space.
#[derive(Debug)]
pub(crate) struct Reading<'a> {
    space: &'a Space,
    gate: &'a Gate,
    /// The gate knows the thread, so the guard must end in it.
    thread: std::marker::PhantomData<*const ()>,
}

// SAFETY: a shared reference gives only views; the thread matters for dropping the guard alone.
unsafe impl Sync for Reading<'_> {}

impl Reading<'_> {
    /// A view for as long as the guard is borrowed.
    #[inline(always)]
    pub(crate) const fn view(&self) -> View<'_> {
        View::new(self.space)
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        let thread = ThreadId::here();
        if let Some(position) = state.readers.iter().rposition(|&reader| reader == thread) {
            state.readers.swap_remove(position);
        }
        if state.readers.is_empty() {
            self.gate.wake(&mut state);
        }
    }
}

impl State {
    fn pass_on(&mut self) {
        (self.called, self.is_called) = (None, false);
        self.turn += 1;
        while let Some(position) = self.abandoned.iter().position(|&ticket| ticket == self.turn) {
            self.abandoned.swap_remove(position);
            self.turn += 1;
        }
    }

    const fn is_waited_for(&self) -> bool {
        self.next != self.turn
    }

    const fn is_free(&self) -> bool {
        self.writer.is_none() && self.readers.is_empty()
    }

    /// Whether a writer may come in that did not wait.
    fn lets_past(&self) -> bool {
        self.is_free() && (!self.is_waited_for() || self.called.is_some_and(|called| called.elapsed() < PATIENCE))
    }
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, State> {
        // The state is changed in single steps that cannot panic halfway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wake(&self, state: &mut State) {
        if state.is_waited_for() && !state.is_called {
            state.is_called = true;
            state.called.get_or_insert_with(Instant::now);
            self.changed[state.turn as usize % TURNS].notify_all();
        }
    }

    /// Lets a reader in.
    ///
    /// Duty of the caller: `space` is the one this gate guards.
    pub(crate) fn read<'a>(&'a self, space: &'a Space, wait: Option<Duration>) -> Result<Reading<'a>, Refusal> {
        let thread = ThreadId::here();
        let mut state = self.lock();
        if state.writer == Some(thread) {
            return Err(Refusal::Deadlock { held: "write" });
        }
        // A thread that reads already goes past waiting writers: they wait for it.
        if !state.readers.contains(&thread) && (state.writer.is_some() || state.is_waited_for()) {
            state = self.wait_turn(state, wait, |state| state.writer.is_none())?;
        }
        state.readers.push(thread);
        self.wake(&mut state);
        Ok(Reading { space, gate: self, thread: std::marker::PhantomData })
    }

    /// Lets the writer in.
    ///
    /// Duty of the caller: `space` is the one this gate guards.
    pub(crate) fn write<'a>(&'a self, space: &'a Space, wait: Option<Duration>) -> Result<Writing<'a>, Refusal> {
        let thread = ThreadId::here();
        let mut state = self.lock();
        if state.writer == Some(thread) {
            return Err(Refusal::Deadlock { held: "write" });
        }
        if state.readers.contains(&thread) {
            return Err(Refusal::Deadlock { held: "read" });
        }
        if !state.lets_past() {
            state = self.spin(state);
        }
        if !state.lets_past() {
            state = self.wait_turn(state, wait, State::is_free)?;
        }
        state.writer = Some(thread);
        let undo = std::mem::take(&mut state.undo);
        drop(state);
        Ok(Writing::new(space, self, undo))
    }

    /// Looks a few times whether a writer is let in: most transactions are shorter than to fall asleep and wake up.
    fn spin<'a>(&'a self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        for _ in 0..LOOKS {
            drop(state);
            (0..SPINS).for_each(|_| std::hint::spin_loop());
            state = self.lock();
            if state.lets_past() {
                break;
            }
        }
        state
    }

    fn wait_turn<'a>(
        &'a self,
        mut state: MutexGuard<'a, State>,
        wait: Option<Duration>,
        free: impl Fn(&State) -> bool,
    ) -> Result<MutexGuard<'a, State>, Refusal> {
        let ticket = state.next;
        state.next += 1;
        let until = wait.map(|wait| Instant::now() + wait);
        while state.turn != ticket || !free(&state) {
            state = match until {
                None => self.changed[ticket as usize % TURNS].wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        if state.turn == ticket {
                            state.pass_on();
                        } else {
                            state.abandoned.push(ticket);
                        }
                        self.wake(&mut state);
                        return Err(Refusal::TimedOut);
                    }
                    self.changed[ticket as usize % TURNS]
                        .wait_timeout(state, left)
                        .unwrap_or_else(PoisonError::into_inner)
                        .0
                }
            };
            if state.turn == ticket {
                state.is_called = false;
            }
        }
        state.pass_on();
        Ok(state)
    }

    /// Lets the writer out.
    pub(super) fn leave_writer(&self, undo: Undo) {
        let mut state = self.lock();
        state.writer = None;
        state.undo = undo;
        self.wake(&mut state);
    }

    /// Whether this thread is the writer.
    pub(crate) fn is_writer_here(&self) -> bool {
        self.lock().writer == Some(ThreadId::here())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_writer_goes_before_one_that_waits_only_for_a_moment_and_never_beside_another() {
        let now = Instant::now();
        let called = |called| State { next: 3, turn: 2, called, ..State::default() };
        assert!(State::default().lets_past());
        assert!(called(Some(now + Duration::from_mins(1))).lets_past());
        assert!(!called(Some(now.checked_sub(PATIENCE).unwrap())).lets_past());
        // Who has the turn and was not called yet is called when the gate is free, so it is not.
        assert!(!called(None).lets_past());
        let here = ThreadId::here();
        assert!(!State { writer: Some(here), ..State::default() }.lets_past());
        assert!(!State { readers: vec![here], ..State::default() }.lets_past());
        let mut state = called(Some(now));
        state.pass_on();
        assert!(state.called.is_none() && !state.is_waited_for());
    }
}

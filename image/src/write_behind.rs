//! Writing behind: bytes are written by a thread of their own, while the next ones are made.

use std::io::{self, Write};
use std::panic::resume_unwind;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::error::{Error, Result};

/// So many pieces are under way at once: one is made, one is written, and one waits between them.
const UNDER_WAY: usize = 3;

/// Where pieces go to be written, in their order.
#[derive(Debug)]
pub(crate) struct Pieces {
    full: SyncSender<Vec<u8>>,
    empty: Receiver<Vec<u8>>,
}

impl Pieces {
    /// A buffer for the next piece; what it holds means nothing.
    ///
    /// # Errors
    /// When writing has failed.
    pub(crate) fn buffer(&self) -> Result<Vec<u8>> {
        self.empty.recv().map_err(|_| stopped())
    }

    /// Has a piece written.
    ///
    /// # Errors
    /// When writing has failed.
    pub(crate) fn write(&self, piece: Vec<u8>) -> Result<()> {
        self.full.send(piece).map_err(|_| stopped())
    }
}

/// Nobody sees it: the reason why writing stopped comes in its place.
fn stopped() -> Error {
    Error::writing(io::ErrorKind::BrokenPipe.into())
}

/// Has `make` make pieces, and writes them to `target` meanwhile. All are written when this returns.
///
/// # Errors
/// When writing fails, or what `make` returned.
pub(crate) fn write_behind<T>(target: &mut (impl Write + Send), make: impl FnOnce(&Pieces) -> Result<T>) -> Result<T> {
    let (full, to_write) = sync_channel::<Vec<u8>>(UNDER_WAY);
    let (written, empty) = sync_channel(UNDER_WAY);
    for _ in 0..UNDER_WAY {
        let _ = written.send(Vec::new());
    }
    thread::scope(|scope| {
        let writer = thread::Builder::new().name("image: writer".into()).spawn_scoped(scope, move || {
            for piece in to_write {
                target.write_all(&piece)?;
                // Nobody may want the buffer any more.
                let _ = written.send(piece);
            }
            io::Result::Ok(())
        });
        let writer = writer.map_err(|error| Error::io("starting a thread", error))?;
        let pieces = Pieces { full, empty };
        let made = make(&pieces);
        drop(pieces);
        match writer.join() {
            Ok(Ok(())) => made,
            Ok(Err(error)) => Err(Error::writing(error)),
            Err(panic) => resume_unwind(panic),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_pieces_are_written_in_their_order() {
        let mut target = Vec::new();
        let made = write_behind(&mut target, |pieces| {
            for number in 0..100_u8 {
                let mut piece = pieces.buffer()?;
                piece.clear();
                piece.extend_from_slice(&[number; 3]);
                pieces.write(piece)?;
            }
            Ok("done")
        });
        assert_eq!(made.unwrap(), "done");
        assert_eq!(target, (0..100).flat_map(|number| [number; 3]).collect::<Vec<_>>());
    }

    /// A target with room for so many bytes.
    struct Full(usize);

    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(bytes.len()).ok_or(io::ErrorKind::StorageFull)?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_write_that_fails_ends_the_making_and_is_the_error() {
        for room in 0..20 {
            let mut pieces_made = 0;
            let made: Result<()> = write_behind(&mut Full(room), |pieces| {
                loop {
                    pieces_made += 1;
                    pieces.buffer()?;
                    pieces.write(vec![1])?;
                }
            });
            assert!(matches!(made, Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::StorageFull));
            assert!(pieces_made <= room + 2 * UNDER_WAY);
        }
    }

    #[test]
    fn what_the_maker_says_is_the_error_when_writing_did_not_fail() {
        let made: Result<()> = write_behind(&mut Vec::new(), |_| Err(Error::writing(io::ErrorKind::Other.into())));
        assert!(matches!(made, Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::Other));
    }
}

//! Bugs that the laws must find. They are compiled with `--cfg planted` only; elsewhere nothing of this exists.

/// Whether the library is to have this bug over this storage.
#[cfg(planted)]
macro_rules! planted {
    ($storage:expr, $bug:ident) => {
        $storage.planted() == Some($crate::planted::Bug::$bug)
    };
}

/// Never.
#[cfg(not(planted))]
macro_rules! planted {
    ($storage:expr, $bug:ident) => {
        false
    };
}

pub(crate) use planted;

#[cfg(planted)]
use crate::format::frame::{FRAME_HEADER, FrameHeader};

/// A bug to put into the library, carried by the storage that a test hands to it.
#[cfg(planted)]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Bug {
    /// The checkpoint writes the base before the log is synced.
    LogNotSyncedBeforeBase,
    /// The checkpoint writes the header before the base is synced.
    BaseNotSyncedBeforeHeader,
    /// The checkpoint writes the header before it writes the base.
    HeaderBeforeBase,
    /// The log is recycled before the header is synced.
    RecycledBeforeHeaderSync,
    /// Frames are believed without their checksum.
    FrameChecksumIgnored,
    /// The checksum of a frame does not chain to the frame before.
    FramesNotChained,
    /// A segment is followed whatever chain value it links to.
    LinkNotChecked,
    /// A commit of strength Disk returns before the sync.
    AcknowledgedBeforeSync,
    /// Recovery does not write the tail of the log again.
    TailNotWrittenAgain,
    /// Recovery does not write the header again that it went by.
    HeaderNotWrittenAgain,
    /// The checkpoint writes over the header page that counts.
    SameHeaderPage,
    /// Fresh extents are published before they are synced.
    FreshExtentsNotSynced,
    /// Room that a commit gave up is used again before a checkpoint holds the commit.
    FreedRoomReusedAtOnce,
    /// The epoch stays the same when the heap is opened.
    EpochNotRenewed,
    /// The frame that needs a longer file is written before the length is durable.
    LengthNotSynced,
    /// The checksums of blocks move without the old ones being there first.
    ChecksumsMovedInPlace,
    /// A transaction of several frames counts from its first one on.
    FirstFrameCommits,
    /// A failed sync of the log is tried again.
    FailedSyncRepeated,
    /// The first segment of an epoch is not durable before the header names it.
    FirstSegmentNotSynced,
    /// Room that was kept for the way back is used again before the commit that gives it up.
    KeptRunsReusedAtOnce,
    /// A rollback gives up the extents of the migrated heap before its commit.
    NewExtentsFreedEarly,
    /// A commit after a migration changes in place what the kept catalog names, too.
    SharedExtentsWrittenInPlace,
    /// An extent that leaves kept room is named before it is synced.
    MovedExtentsNotSynced,
    /// The room of an extent that left it to the kept catalog is used again.
    LeftRoomReused,
}

#[cfg(planted)]
impl Bug {
    /// All of them.
    pub const ALL: &[Self] = &[
        Self::LogNotSyncedBeforeBase,
        Self::BaseNotSyncedBeforeHeader,
        Self::HeaderBeforeBase,
        Self::RecycledBeforeHeaderSync,
        Self::FrameChecksumIgnored,
        Self::FramesNotChained,
        Self::LinkNotChecked,
        Self::AcknowledgedBeforeSync,
        Self::TailNotWrittenAgain,
        Self::HeaderNotWrittenAgain,
        Self::SameHeaderPage,
        Self::FreshExtentsNotSynced,
        Self::FreedRoomReusedAtOnce,
        Self::EpochNotRenewed,
        Self::LengthNotSynced,
        Self::ChecksumsMovedInPlace,
        Self::FirstFrameCommits,
        Self::FailedSyncRepeated,
        Self::FirstSegmentNotSynced,
        Self::KeptRunsReusedAtOnce,
        Self::NewExtentsFreedEarly,
        Self::SharedExtentsWrittenInPlace,
        Self::MovedExtentsNotSynced,
        Self::LeftRoomReused,
    ];
}

/// The frame at the start of `bytes` as a library with this bug sees it.
#[cfg(planted)]
pub(crate) fn parse_frame(bug: Bug, bytes: &[u8], chain: u32) -> Option<(FrameHeader, &[u8], u32)> {
    match bug {
        Bug::FramesNotChained => FrameHeader::parse(bytes, 0),
        Bug::FrameChecksumIgnored => {
            let head = bytes.get(..FRAME_HEADER)?;
            let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap_or_default());
            let (payload, flags, sequence) = (word(0), word(4), u64::from(word(8)) | u64::from(word(12)) << 32);
            let contents = bytes.get(FRAME_HEADER..FRAME_HEADER.checked_add(payload as usize)?)?;
            let frame = FrameHeader { payload, last: flags == 1, sequence };
            (payload >= 8 && payload.is_multiple_of(8) && flags <= 1).then(|| (frame, contents, word(16)))
        }
        _ => FrameHeader::parse(bytes, chain),
    }
}

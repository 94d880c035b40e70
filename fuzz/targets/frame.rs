//! Frames and their operations, one by one.

#![no_main]

use heap::format::frame::{FrameHeader, Operation, SEGMENT_HEADER, SegmentHeader, operations};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = FrameHeader::parse(bytes, 0);
    if let Some((header, _)) = bytes.first_chunk::<SEGMENT_HEADER>().and_then(SegmentHeader::parse) {
        assert_eq!(header.to_bytes().0[..], bytes[..SEGMENT_HEADER]);
    }

    let read: Vec<Option<Operation<'_>>> = operations(bytes).collect();
    assert!(read.iter().rev().skip(1).all(Option::is_some), "operations follow one that cannot be");
    let whole: Vec<Operation<'_>> = read.iter().flatten().copied().collect();
    let mut written = Vec::new();
    for operation in &whole {
        let before = written.len();
        operation.encode(&mut written);
        assert_eq!(written.len() - before, operation.encoded_len());
    }
    assert!(written.len() <= bytes.len());
    assert!(operations(&written).eq(whole.into_iter().map(Some)));

    let payload = &bytes[..bytes.len() / 8 * 8];
    if !payload.is_empty() {
        let header = FrameHeader { payload: payload.len() as u32, last: bytes[0] & 1 == 0, sequence: 7 };
        let (head, chain) = header.to_bytes(99, payload);
        let frame = [&head, payload].concat();
        assert_eq!(FrameHeader::parse(&frame, 99), Some((header, payload, chain)));
        assert_eq!(FrameHeader::parse(&frame, 98), None);
    }
});

#![allow(clippy::unwrap_used)]
use super::*;
use crate::image::sample::{Sample, sample};
use std::thread;

fn raw() -> Vec<u8> {
    (0..10_000_u32).map(|at| (at % 251) as u8).collect()
}

fn streamed() -> (Sample, StreamedImage) {
    let sample = sample(&raw(), 1024);
    let table = ChunkTable::read(&sample.list, &sample.promise).unwrap();
    (sample, StreamedImage::new(Arc::new(table)))
}

fn of(file: &[u8], part: Part) -> &[u8] {
    &file[part.offset as usize..(part.offset + part.length) as usize]
}

/// Reads a range while `send` sends on another thread, and gives what was read.
fn read_while(image: &StreamedImage, raw: Range<u64>, send: impl FnOnce() + Send) -> Vec<u8> {
    let mut found = vec![0; (raw.end - raw.start) as usize];
    let mut reader = image.open(raw).unwrap();
    thread::scope(|scope| {
        let sender = scope.spawn(send);
        reader.read_exact(&mut found).unwrap();
        sender.join().unwrap();
    });
    found
}

#[test]
fn the_first_chunk_comes_first_and_stays() {
    let (sample, image) = streamed();
    let wanted = image.wants().unwrap();
    assert_eq!(wanted.offset, 0);
    image.take(&mut of(&sample.file, wanted)).unwrap();
    assert_eq!(image.wants(), None);
    assert!(matches!(image.take(&mut &sample.file[..]), Err(StreamError::NotWanted)));
    for _ in 0..2 {
        assert!(read_while(&image, 0..512, || {}) == raw()[..512]);
    }
    image.forget_first();
    assert_eq!(image.wants(), Some(wanted));
}

#[test]
fn a_range_comes_chunk_by_chunk_and_after_a_cut_from_the_chunk_that_was_cut() {
    let (sample, image) = streamed();
    image.take(&mut of(&sample.file, image.wants().unwrap())).unwrap();
    let found = read_while(&image, 3000..10_000, || {
        let wanted = image.wants().unwrap();
        assert_eq!(wanted, image.table.part(&(2..10)));
        let cut = image.table.part(&(2..6)).length as usize - 1;
        let error = image.take(&mut &of(&sample.file, wanted)[..cut]).unwrap_err();
        assert!(matches!(error, StreamError::Cut { index: 5, .. }), "{error}");
        let wanted = image.wants().unwrap();
        assert_eq!(wanted, image.table.part(&(5..10)));
        image.take(&mut of(&sample.file, wanted)).unwrap();
    });
    assert!(found == raw()[3000..]);
    assert_eq!(image.wants(), None);
}

#[test]
fn what_is_damaged_or_another_part_is_given_to_nobody_and_wanted_again() {
    let (mut sample, image) = streamed();
    let error = image.take(&mut &sample.file[100..]).unwrap_err();
    assert!(error.to_string().ends_with("; it is wanted again"), "{error}");
    assert!(!image.has_first());
    image.take(&mut of(&sample.file, image.wants().unwrap())).unwrap();
    let found = read_while(&image, 1024..4096, || {
        let middle = (image.table.part(&(2..3)).offset + 30) as usize;
        sample.file[middle] ^= 1;
        let wanted = image.wants().unwrap();
        assert!(matches!(image.take(&mut of(&sample.file, wanted)), Err(StreamError::Chunk(_))));
        sample.file[middle] ^= 1;
        let wanted = image.wants().unwrap();
        assert_eq!(wanted, image.table.part(&(2..4)));
        let more = of(&sample.file, Part { length: wanted.length + 1, ..wanted });
        assert!(matches!(image.take(&mut &more[..]), Err(StreamError::TooMuch)));
    });
    assert!(found == raw()[1024..4096]);
}

#[test]
fn a_sender_is_told_when_nobody_writes_any_more() {
    let (sample, image) = streamed();
    image.take(&mut of(&sample.file, image.wants().unwrap())).unwrap();
    let reader = image.open(1024..10_000).unwrap();
    let wanted = image.wants().unwrap();
    let error = thread::scope(|scope| {
        let sender = scope.spawn(|| image.take(&mut of(&sample.file, wanted)));
        while image.wants() == Some(wanted) && !sender.is_finished() {
            thread::yield_now();
        }
        // Nothing is read: the second chunk has to wait.
        drop(reader);
        sender.join().unwrap().unwrap_err()
    });
    assert!(matches!(error, StreamError::BrokenOff), "{error}");
    assert_eq!(image.wants(), None);
}

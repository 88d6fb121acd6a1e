#![allow(clippy::unwrap_used)]
use super::*;
use crate::image::sample::{Sample, hex, sample};
use crate::image::{Image, ImageError, VerifiedImage};
use std::cell::RefCell;
use std::fs::File;
use std::io::Write;

fn raw() -> Vec<u8> {
    (0..10_000_u32).map(|at| (at % 251) as u8).collect()
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

#[test]
fn any_range_reads_as_in_the_image_itself() {
    let (raw, sample) = (raw(), sample(&raw(), 1024));
    let table = Arc::new(ChunkTable::read(&sample.list, &sample.promise).unwrap());
    let image = VerifiedImage::verify(file(&sample.file), &sample.promise, Some(table)).unwrap();
    for (from, to) in [(0, 10_000), (0, 512), (1024, 2048), (1023, 2049), (9999, 10_000), (5, 5)] {
        let mut found = Vec::new();
        image.open(from..to).unwrap().take(to - from).read_to_end(&mut found).unwrap();
        assert!(found == raw[from as usize..to as usize], "{from} to {to}");
    }
}

#[test]
fn of_a_range_only_its_chunks_are_unpacked() {
    let sample = sample(&raw(), 1024);
    let table = ChunkTable::read(&sample.list, &sample.promise).unwrap();
    let asked = |raw: Range<u64>| {
        let asked = RefCell::new(Vec::new());
        let next = |_: &Range<usize>| {
            |index| {
                asked.borrow_mut().push(index);
                let part = table.part(&(index..index + 1));
                let (from, size) = (part.offset as usize, part.length as usize);
                let chunk = table.unpack(index, &sample.file[from..][..size]);
                Ok(Arc::new(chunk.map_err(io::Error::other)?))
            }
        };
        let size = raw.end - raw.start;
        let mut reader = ChunkReader::new(&table, &raw, next);
        assert_eq!(io::copy(&mut reader.by_ref().take(size), &mut io::sink()).unwrap(), size);
        drop(reader);
        asked.into_inner()
    };
    assert_eq!(asked(3000..5000), [2, 3, 4]);
    assert_eq!(asked(2048..4096), [2, 3]);
    assert_eq!(asked(9728..10_000), [9]);
}

#[test]
fn a_list_of_another_image_is_refused() {
    let refused = |change: &dyn Fn(&mut Chunks, &mut Sample)| {
        let mut sample = sample(&raw(), 1024);
        let mut chunks: Chunks = serde_json::from_slice(&sample.list).unwrap();
        change(&mut chunks, &mut sample);
        let list = serde_json::to_vec(&chunks).unwrap();
        sample.promise.chunks_sha256 = Some(hex(&list));
        ChunkTable::read(&list, &sample.promise).unwrap_err().to_string()
    };
    let other = |why: &str| format!("the image's list of chunks does not fit the image: {why}");
    assert_eq!(refused(&|c, _| drop(c.chunks.pop())), other("the number of chunks is another"));
    assert_eq!(
        refused(&|_, s| s.promise.raw_size += 1024),
        other("the number of chunks is another")
    );
    let length = other("the chunks are not as long as the file");
    assert_eq!(refused(&|_, s| s.promise.size += 1), length);
    assert_eq!(refused(&|c, _| c.chunks[3].size += 1), length);
    assert_eq!(refused(&|c, _| c.chunks[3].size = 0), other("a chunk is empty or too large"));
    assert_eq!(refused(&|c, _| c.chunks[3].size = 1 << 40), other("a chunk is empty or too large"));
    assert_eq!(refused(&|c, _| c.raw_size = 256), other("its chunks are smaller than a sector"));
    let memory = other("the size of its chunks is none that memory holds");
    assert_eq!(refused(&|c, _| c.raw_size = 0), memory);
    assert_eq!(refused(&|c, _| c.raw_size = 1 << 30), memory);
    let sample = sample(&raw(), 1024);
    let damaged = ChunkTable::read(b"{}", &sample.promise).unwrap_err();
    assert!(matches!(damaged, ChunksError::Damaged));
}

#[test]
fn a_chunk_has_to_be_one_member_of_the_right_content() {
    let Sample { mut file, list, promise } = sample(&raw(), 1024);
    let table = ChunkTable::read(&list, &promise).unwrap();
    let part = |index: usize| {
        let part = table.part(&(index..index + 1));
        part.offset as usize..(part.offset + part.length) as usize
    };
    assert_eq!(table.unpack(9, &file[part(9)]).unwrap(), raw()[9 * 1024..]);
    let refused = |packed: &[u8]| table.unpack(1, packed).unwrap_err().to_string();
    let damaged = "chunk 1 of the image is damaged: it is not what the job says";
    assert_eq!(refused(&file[part(2)]), damaged);
    assert_eq!(refused(&file[part(1).start..part(2).end]), damaged);
    assert!(refused(b"no gzip").starts_with("chunk 1 of the image does not unpack: "));
    let middle = part(1).start + 20;
    file[middle] ^= 1;
    assert!(refused(&file[part(1)]).starts_with("chunk 1 of the image "));
}

#[test]
fn an_image_whose_chunks_are_others_is_not_taken_into_memory() {
    let one = sample(&raw(), 1024);
    let mut chunks: Chunks = serde_json::from_slice(&one.list).unwrap();
    chunks.chunks[4].raw_sha256 = hex(b"other");
    let list = serde_json::to_vec(&chunks).unwrap();
    let promise = Promise { chunks_sha256: Some(hex(&list)), ..one.promise };
    let table = Arc::new(ChunkTable::read(&list, &promise).unwrap());
    let error = VerifiedImage::verify(file(&one.file), &promise, Some(table)).unwrap_err();
    assert!(matches!(error, ImageError::Chunk(ChunksError::OtherContent(4))), "{error}");
}

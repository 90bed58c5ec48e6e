//! File ranges to sockets: every way delivers the same bytes, and none blocks.
#![allow(clippy::unwrap_used)]

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;

use ringlog_io::transfer::{SLICE_BYTES, Splicer, read_and_send, send_file};
use ringlog_io::{Disk, File, Map, Mode, residency};

const FILE_BYTES: usize = 1_000_003;

fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let sender = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let receiver = listener.accept().unwrap().0;
    sender.set_nonblocking(true).unwrap();
    (sender, receiver)
}

fn file(dir: &tempfile::TempDir) -> (Arc<File>, Vec<u8>) {
    let content: Vec<u8> = (0..FILE_BYTES).map(|at| (at / 7) as u8).collect();
    std::fs::write(dir.path().join("f"), &content).unwrap();
    (Disk::syscall().open_file(dir.path().join("f"), Mode::Read).unwrap(), content)
}

/// Repeats `send` (at a position, bytes sent) until it gives 0, while a thread receives; returns what arrived.
fn deliver(
    sender: TcpStream,
    receiver: TcpStream,
    mut send: impl FnMut(&TcpStream, u64) -> io::Result<usize>,
) -> Vec<u8> {
    let receiving = std::thread::spawn(move || {
        let mut received = Vec::new();
        let mut receiver = receiver;
        receiver.read_to_end(&mut received).unwrap();
        received
    });
    let mut position = 0;
    loop {
        match send(&sender, position) {
            Ok(0) => break,
            Ok(sent) => position += sent as u64,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => std::thread::yield_now(),
            Err(error) => panic!("{error}"),
        }
    }
    drop(sender);
    receiving.join().unwrap()
}

#[test]
fn sendfile_delivers_the_range_in_bounded_slices() {
    let dir = tempfile::tempdir().unwrap();
    let (file, content) = file(&dir);
    let (sender, receiver) = sockets();
    let received = deliver(sender, receiver, |socket, position| {
        let sent = send_file(socket.as_fd(), &file, 10 + position, usize::MAX)?;
        assert!(sent <= SLICE_BYTES);
        Ok(sent)
    });
    assert!(received == content[10..]);
}

#[test]
fn a_splicer_delivers_what_it_took_from_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (file, content) = file(&dir);
    let (sender, receiver) = sockets();
    let mut splicer = Splicer::new().unwrap();
    let received = deliver(sender, receiver, |socket, position| {
        if splicer.waiting() == 0 && splicer.fill(&file, position, usize::MAX)? == 0 {
            return Ok(0);
        }
        splicer.drain(socket.as_fd())
    });
    assert!(received == content);
}

#[test]
fn header_and_file_leave_in_one_call() {
    let dir = tempfile::tempdir().unwrap();
    let (file, content) = file(&dir);
    let (sender, mut receiver) = sockets();
    let mut scratch = [0; 1000];
    assert_eq!(read_and_send(sender.as_fd(), b"head", &file, 5, &mut scratch).unwrap(), 1004);
    let mut received = [0; 1004];
    receiver.read_exact(&mut received).unwrap();
    assert_eq!((&received[..4], &received[4..]), (&b"head"[..], &content[5..1005]));
    assert_eq!(read_and_send(sender.as_fd(), b"", &file, FILE_BYTES as u64, &mut scratch).unwrap(), 0);
}

#[test]
fn a_full_socket_is_would_block() {
    let dir = tempfile::tempdir().unwrap();
    let (file, _) = file(&dir);
    let (mut sender, receiver) = sockets();
    while sender.write(&[0; 65536]).is_ok() {}
    for error in [
        send_file(sender.as_fd(), &file, 0, 100_000).unwrap_err(),
        read_and_send(sender.as_fd(), b"h", &file, 0, &mut [0; 100]).unwrap_err(),
    ] {
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
    drop(receiver);
}

#[test]
fn a_file_just_written_is_resident_and_maps_to_its_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let (file, content) = file(&dir);
    match residency::is_cached(&file, 0, FILE_BYTES as u64) {
        Some(cached) => assert!(cached),
        None => eprintln!("\n!!! NOT TESTED: cachestat is not to be had here\n"),
    }
    let mut start = [0; 100];
    assert_eq!(residency::read_cached(&file, &mut start, 3).unwrap(), 100);
    assert_eq!(start, content[3..103]);
    assert!(Map::of(&file).unwrap()[..] == content);
}

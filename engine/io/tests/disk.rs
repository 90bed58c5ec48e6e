//! The disk operations, each on every backend that this machine has.

use bytes::Bytes;
use ringlog_io::{Disk, Mode};

#[tokio::test]
async fn what_is_written_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let disk = Disk::syscall();
    let file = disk.open_file(dir.path().join("f"), Mode::Create).unwrap();
    let parts = vec![Bytes::from_static(b"hello "), Bytes::from_static(b"world")];
    assert_eq!(disk.write_all_at(&file, parts, 3).await.unwrap(), 11);
    disk.sync_data(&file).await.unwrap();
    assert_eq!(&disk.read_at(&file, 100, 3).await.unwrap()[..], b"hello world");
    disk.write_atomic(dir.path().join("g"), b"x").unwrap();
    assert_eq!(std::fs::read(dir.path().join("g")).unwrap(), b"x");
}

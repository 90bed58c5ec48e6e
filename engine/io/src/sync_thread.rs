//! fdatasync away from the calling thread: a few threads per device.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use crate::file::File;

/// Syncs of different files at once on one device. They share a journal commit: 16 files of 16 KiB on ext4 took 2.9 ms with one
/// thread, 1.5 ms with four, 1.15 ms with eight; a single file gains nothing.
const SYNCS_AT_ONCE: usize = 4;

/// fdatasync of one file on a thread of its device.
pub(crate) async fn sync_data(file: &Arc<File>) -> io::Result<()> {
    let (reply, result) = oneshot::channel();
    let request = Request { file: file.clone(), reply };
    queue_for(file)?.send(request).map_err(|_| io::Error::other("the sync threads have ended"))?;
    result.await.map_err(|_| io::Error::other("the sync thread has ended"))?
}

struct Request {
    file: Arc<File>,
    reply: oneshot::Sender<io::Result<()>>,
}

/// The queue of the file's device; its threads are started with the first request and live as long as the process.
fn queue_for(file: &File) -> io::Result<Sender<Request>> {
    static DEVICES: OnceLock<Mutex<HashMap<u64, Sender<Request>>>> = OnceLock::new();
    let device = file.std().metadata()?.dev();
    let mut devices = DEVICES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(queue) = devices.get(&device) {
        return Ok(queue.clone());
    }
    let (queue, requests) = channel();
    let requests = Arc::new(Mutex::new(requests));
    for number in 0..SYNCS_AT_ONCE {
        let requests = requests.clone();
        thread::Builder::new().name(format!("sync-{device:x}-{number}")).spawn(move || serve(&requests))?;
    }
    devices.insert(device, queue.clone());
    Ok(queue)
}

fn serve(requests: &Mutex<Receiver<Request>>) {
    loop {
        let next = requests.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(request) = next else { return };
        // A caller that has gone away needs no answer; the sync it asked for is done all the same.
        drop(request.reply.send(request.file.std().sync_data()));
    }
}

//! fdatasync away from the calling thread: one thread per device, so that one journal sees one stream of syncs.

use std::collections::HashMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use tokio::sync::oneshot;

use crate::file::File;

/// fdatasync of one file, in the order of the calls per device.
pub(crate) async fn sync_data(file: &Arc<File>) -> io::Result<()> {
    let (reply, result) = oneshot::channel();
    sender_for(file)?
        .send(Request { file: file.clone(), reply })
        .map_err(|_| io::Error::other("the sync thread has ended"))?;
    result.await.map_err(|_| io::Error::other("the sync thread has ended"))?
}

struct Request {
    file: Arc<File>,
    reply: oneshot::Sender<io::Result<()>>,
}

/// The queue of the file's device; its thread is started with the first request and lives as long as the process.
fn sender_for(file: &File) -> io::Result<Sender<Request>> {
    static DEVICES: OnceLock<Mutex<HashMap<u64, Sender<Request>>>> = OnceLock::new();
    let device = file.std().metadata()?.dev();
    let mut devices = DEVICES.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(sender) = devices.get(&device) {
        return Ok(sender.clone());
    }
    let (sender, requests) = channel();
    thread::Builder::new().name(format!("sync-{device:x}")).spawn(move || serve(&requests))?;
    devices.insert(device, sender.clone());
    Ok(sender)
}

fn serve(requests: &Receiver<Request>) {
    for request in requests {
        // A caller that has gone away needs no answer; the sync it asked for is done all the same.
        drop(request.reply.send(request.file.std().sync_data()));
    }
}

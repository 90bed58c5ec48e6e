//! Stands between clients and a broker, and lies once: about the third batch that it sees.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringlog_protocol::{ApiKey, produce};
use ringlog_record::crc32c;

/// Which of the batches it lies about: one that has an answer before it, and that a busy host comes to in a short cell, too.
const LIED_ABOUT: u64 = 3;
/// Where the checksum of a batch stands, and where what it covers begins.
const CRC: std::ops::Range<usize> = 17..21;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    None,
    /// Acknowledges a batch that the broker never gets.
    Drop,
    /// Gives it to the broker twice.
    Duplicate,
    /// Changes a byte of a value, and makes the batch's checksum right again.
    Corrupt,
    /// The same with the key of a record whose value has so many bytes.
    Rekey {
        value_bytes: usize,
    },
}

pub(crate) struct Proxy {
    listener: TcpListener,
    address: String,
}

/// One connection's way back, and what the two ways know of each other.
struct Back {
    client: Mutex<TcpStream>,
    last_produce: Mutex<Vec<u8>>,
    /// Answers that the broker owes.
    owed: AtomicI64,
    /// Correlation ids of Produce requests; an answer to one is kept as a pattern.
    produces: Mutex<Vec<[u8; 4]>>,
    /// The answer to the second copy of a request is not passed on.
    swallowed: Mutex<Option<[u8; 4]>>,
}

impl Proxy {
    pub(crate) fn bind() -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        Proxy { listener, address }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Passes on to `broker` from now on. Its threads end with their connections, or with the test.
    pub(crate) fn serve(&self, broker: &str, lie: Lie) {
        let (listener, broker) = (self.listener.try_clone().unwrap(), broker.to_owned());
        let seen = Arc::new(AtomicU64::new(0));
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (Ok(server), seen) = (TcpStream::connect(&broker), Arc::clone(&seen)) else { continue };
                let back = Arc::new(Back {
                    client: Mutex::new(client.try_clone().unwrap()),
                    last_produce: Mutex::default(),
                    owed: AtomicI64::new(0),
                    produces: Mutex::default(),
                    swallowed: Mutex::default(),
                });
                let (answers, forth) = (server.try_clone().unwrap(), Arc::clone(&back));
                std::thread::spawn(move || pass_back(answers, &back));
                std::thread::spawn(move || pass_on(client, server, &forth, lie, &seen));
            }
        });
    }
}

fn pass_on(mut client: TcpStream, mut server: TcpStream, back: &Back, lie: Lie, seen: &AtomicU64) {
    while let Some(mut request) = frame(&mut client) {
        let correlation: [u8; 4] = request[8..12].try_into().unwrap();
        let lies = match records(&request) {
            None => false,
            Some(_) => {
                back.produces.lock().unwrap().push(correlation);
                seen.fetch_add(1, Ordering::Relaxed) + 1 == LIED_ABOUT
            }
        };
        match lie {
            Lie::Drop if lies => {
                // Answers come in order: those before this one first.
                while back.owed.load(Ordering::SeqCst) > 0 {
                    std::thread::sleep(Duration::from_millis(1));
                }
                let mut answer = back.last_produce.lock().unwrap().clone();
                answer[4..8].copy_from_slice(&correlation);
                back.client.lock().unwrap().write_all(&answer).unwrap();
                continue;
            }
            Lie::Duplicate if lies => {
                *back.swallowed.lock().unwrap() = Some(correlation);
                back.owed.fetch_add(1, Ordering::SeqCst);
                let _ = server.write_all(&request);
            }
            Lie::Corrupt | Lie::Rekey { .. } if lies => {
                let records = records(&request).unwrap();
                // The last byte is the number of headers, 0; before it the value ends. Before that and its length, two bytes of
                // zigzag, the key does.
                let behind = if let Lie::Rekey { value_bytes } = lie { value_bytes + 2 } else { 0 };
                request[records.end - 2 - behind] ^= 1;
                let batch = &mut request[records];
                let crc = crc32c(&batch[CRC.end..]);
                batch[CRC].copy_from_slice(&crc.to_be_bytes());
            }
            _ => {}
        }
        back.owed.fetch_add(1, Ordering::SeqCst);
        if server.write_all(&request).is_err() {
            break;
        }
    }
    let _ = server.shutdown(std::net::Shutdown::Both);
}

fn pass_back(mut server: TcpStream, back: &Back) {
    while let Some(answer) = frame(&mut server) {
        let correlation: [u8; 4] = answer[4..8].try_into().unwrap();
        let mut swallowed = back.swallowed.lock().unwrap();
        if *swallowed == Some(correlation) {
            *swallowed = None;
            back.owed.fetch_sub(1, Ordering::SeqCst);
            continue;
        }
        drop(swallowed);
        if back.produces.lock().unwrap().contains(&correlation) {
            *back.last_produce.lock().unwrap() = answer.clone();
        }
        let written = back.client.lock().unwrap().write_all(&answer);
        back.owed.fetch_sub(1, Ordering::SeqCst);
        if written.is_err() {
            break;
        }
    }
    let _ = back.client.lock().unwrap().shutdown(std::net::Shutdown::Both);
}

/// A request or an answer with its length in front.
fn frame(from: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 4];
    from.read_exact(&mut length).ok()?;
    let mut frame = length.to_vec();
    frame.resize(4 + u32::from_be_bytes(length) as usize, 0);
    from.read_exact(&mut frame[4..]).ok()?;
    Some(frame)
}

/// Where the records of a Produce request lie; `None` of another request.
fn records(request: &[u8]) -> Option<std::ops::Range<usize>> {
    let number = |at: usize| i16::from_be_bytes([request[at], request[at + 1]]);
    if number(4) != ApiKey::Produce as i16 {
        return None;
    }
    let version = number(6);
    let client_id = usize::try_from(number(12)).unwrap_or(0);
    // A flexible header ends with its tagged fields, of which there are none.
    let tags = usize::from(version >= 9);
    let body = 14 + client_id + tags;
    let walk = produce::walk(&request[body..], version).unwrap();
    let records = walk.topics[0].partitions[0].records.clone()?;
    Some(body + records.start..body + records.end)
}

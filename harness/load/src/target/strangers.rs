//! Each scheme at somebody who speaks something else, as those would greet and answer.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use super::{Target, runtime};

const SCHEMES: [&str; 9] =
    ["kafka", "redis", "nats", "activemq", "artemis", "amqp", "rabbitmq-stream", "rocketmq", "pulsar"];
/// Some wait for more, or try again.
const LIMIT: Duration = Duration::from_millis(300);

/// Who is there; what comes unasked; what answers the first words, whichever they are; whether it then closes the connection.
type Stranger = (&'static str, &'static [u8], &'static [u8], bool);

const STRANGERS: [Stranger; 7] = [
    ("nats", b"INFO {\"server_id\":\"N\",\"headers\":true}\r\n", b"-ERR 'Unknown Protocol Operation'\r\n", true),
    ("redis", b"", b"-ERR unknown command 'x', with args beginning with: \r\n", false),
    ("amqp", b"", b"AMQP\x00\x00\x09\x01", true),
    ("activemq", b"", b"ERROR\nmessage:Unknown STOMP action\n\nwords\0", true),
    ("http", b"", b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", true),
    ("tls", b"", b"\x15\x03\x01\x00\x02\x02\x46", true),
    // Kafka, Pulsar and RocketMQ, of what they take for a length that is too long.
    ("kafka", b"", b"", true),
];

fn serve((_, greeting, answer, closes): Stranger) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let meets = move |mut client: TcpStream| -> std::io::Result<()> {
        let mut heard = [0; 4096];
        client.write_all(greeting)?;
        if client.read(&mut heard)? > 0 {
            client.write_all(answer)?;
        }
        while !closes && client.read(&mut heard)? > 0 {}
        Ok(())
    };
    std::thread::spawn(move || {
        for client in listener.incoming() {
            std::thread::spawn(move || meets(client.unwrap()));
        }
    });
    address
}

#[test]
fn one_who_speaks_something_else_is_named_with_what_it_said_and_what_to_do() {
    let runtime = runtime().unwrap();
    for stranger in STRANGERS {
        let address = serve(stranger);
        let (who, ..) = stranger;
        for scheme in
            SCHEMES.into_iter().filter(|scheme| *scheme != who && !(who == "activemq" && *scheme == "artemis"))
        {
            let url = format!("{scheme}://{address}");
            let target: Target = url.parse().unwrap();
            let said = runtime.block_on(target.described(LIMIT)).unwrap_err().to_string();
            assert!(said.starts_with(&url) && said.contains("scheme of what listens there"), "{who}: {said}");
        }
    }
}

#[test]
fn one_who_says_nothing_is_not_waited_for_for_ever() {
    let runtime = runtime().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for scheme in SCHEMES {
        let target: Target = format!("{scheme}://{}", silent.local_addr().unwrap()).parse().unwrap();
        let said = runtime.block_on(target.described(Duration::from_millis(100))).unwrap_err().to_string();
        assert!(said.contains("no answer within 100ms"), "{said}");
    }
}

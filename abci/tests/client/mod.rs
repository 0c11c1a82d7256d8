//! A client as small as CometBFT's: length-delimited requests on a socket.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;

use ballast_abci::{Address, Request, Response, request, response};
use prost::Message;

trait Socket: Read + Write + Send {}
impl Socket for UnixStream {}
impl Socket for TcpStream {}

pub(crate) struct Client {
    socket: Box<dyn Socket>,
    unread: Vec<u8>,
}

impl Client {
    pub(crate) fn connect(address: &Address) -> Self {
        let socket: Box<dyn Socket> = match address {
            Address::Unix(path) => Box::new(UnixStream::connect(path).expect("connect")),
            Address::Tcp(address) => {
                let stream = TcpStream::connect(address).expect("connect");
                stream.set_nodelay(true).expect("nodelay");
                Box::new(stream)
            }
        };
        Self {
            socket,
            unread: Vec::new(),
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) {
        self.socket.write_all(bytes).expect("write");
    }

    pub(crate) fn send(&mut self, requests: &[request::Value]) {
        self.write(&encode(requests));
    }

    /// The next answer, or `None` when the server has closed the connection.
    pub(crate) fn receive(&mut self) -> Option<response::Value> {
        let mut chunk = [0; 64 * 1024];
        loop {
            let mut rest = &self.unread[..];
            if let Ok(response) = Response::decode_length_delimited(&mut rest) {
                self.unread = rest.to_vec();
                return Some(response.value.expect("an answer names its method"));
            }
            match self.socket.read(&mut chunk) {
                Ok(0) => return None,
                Ok(count) => self.unread.extend_from_slice(&chunk[..count]),
                // TCP says so when the server closed with bytes of ours unread.
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("read: {error}"),
            }
        }
    }

    pub(crate) fn call(&mut self, request: request::Value) -> response::Value {
        self.send(&[request, request::Value::Flush(Default::default())]);
        let answer = self.receive().expect("answer");
        assert_eq!(
            self.receive(),
            Some(response::Value::Flush(Default::default()))
        );
        answer
    }

    /// The reason of the exception that ends the connection.
    pub(crate) fn receive_exception(&mut self) -> String {
        let Some(response::Value::Exception(exception)) = self.receive() else {
            panic!("not an exception");
        };
        assert_eq!(
            self.receive(),
            None,
            "the connection stays open after an exception"
        );
        exception.error
    }
}

pub(crate) fn encode(requests: &[request::Value]) -> Vec<u8> {
    let mut out = Vec::new();
    for value in requests {
        let request = Request {
            value: Some(value.clone()),
        };
        request.encode_length_delimited(&mut out).expect("encode");
    }
    out
}

//! Headers, and whole frames: a length, a header, a message.

use bytes::BytesMut;

use crate::{
    ApiKey, DecodeError, EncodeError, Message, Piece, Reader, Request, Str, Writer, schema::Version, wire::Wire,
};

/// What stands before every request.
///
/// Read without knowing the API's version, so that a broker can answer one that it does not serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// The API.
    pub api: ApiKey,
    /// The version of the request; not checked against [`ApiKey::versions`].
    pub version: i16,
    /// What the response repeats.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<Str<'a>>,
}

/// What stands before every response: a number, and in flexible versions (of every API but ApiVersions) tagged fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResponseHeader {
    /// That of the request.
    pub correlation_id: i32,
}

impl<'a> RequestHeader<'a> {
    /// Reads a header; the message follows it in the reader. An unknown key is an error, as its header's form is
    /// unknown.
    pub fn decode(r: &mut Reader<'a>) -> Result<Self, DecodeError> {
        r.version = Version::FIXED;
        let (key, version, correlation_id) = (i16::read(r)?, i16::read(r)?, i32::read(r)?);
        let api = ApiKey::from_code(key).ok_or(DecodeError::UnknownApi { key })?;
        // The client's id keeps its 16-bit length in every version of the header.
        let client_id = Option::read(r).map_err(|cause| cause.within("RequestHeader", "client_id"))?;
        r.version.flexible = api.is_flexible(version);
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(Self { api, version, correlation_id, client_id })
    }

    /// Writes the header.
    pub fn encode(&self, w: &mut Writer) -> Result<(), EncodeError> {
        w.version = Version::FIXED;
        (self.api as i16).write(w)?;
        self.version.write(w)?;
        self.correlation_id.write(w)?;
        self.client_id.write(w)?;
        w.version.flexible = self.api.is_flexible(self.version);
        w.tagged_fields(|_| Ok(()))
    }
}

impl ResponseHeader {
    /// Reads the header of a response to `version` of `api`.
    pub fn decode(r: &mut Reader<'_>, api: ApiKey, version: i16) -> Result<Self, DecodeError> {
        r.version = Version { number: version, flexible: api.response_header_is_flexible(version) };
        let correlation_id = i32::read(r)?;
        r.tagged_fields(|_, _| Ok(false))?;
        Ok(Self { correlation_id })
    }

    /// Writes the header of a response to `version` of `api`.
    pub fn encode(&self, w: &mut Writer, api: ApiKey, version: i16) -> Result<(), EncodeError> {
        w.version = Version { number: version, flexible: api.response_header_is_flexible(version) };
        self.correlation_id.write(w)?;
        w.tagged_fields(|_| Ok(()))
    }
}

/// The frame of a request, its length in front.
pub fn encode_request<'a, R: Request<'a>>(
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<BytesMut, EncodeError> {
    request_frame(Writer::new(), request, version, correlation_id, client_id).map(Writer::into_bytes)
}

/// The frame of a request, its length in front, cut where records lie elsewhere
/// ([`Records::Elsewhere`](crate::Records)).
pub fn encode_request_pieces<'a, R: Request<'a>>(
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<Vec<Piece>, EncodeError> {
    request_frame(Writer::with_gaps(), request, version, correlation_id, client_id).map(Writer::into_pieces)
}

/// The frame of a response, its length in front.
pub fn encode_response<'a, M: Message<'a>>(
    response: &M,
    version: i16,
    correlation_id: i32,
) -> Result<BytesMut, EncodeError> {
    response_frame(Writer::new(), response, version, correlation_id).map(Writer::into_bytes)
}

/// The frame of a response, its length in front, cut where records lie elsewhere
/// ([`Records::Elsewhere`](crate::Records)).
pub fn encode_response_pieces<'a, M: Message<'a>>(
    response: &M,
    version: i16,
    correlation_id: i32,
) -> Result<Vec<Piece>, EncodeError> {
    response_frame(Writer::with_gaps(), response, version, correlation_id).map(Writer::into_pieces)
}

fn request_frame<'a, R: Request<'a>>(
    mut w: Writer,
    request: &R,
    version: i16,
    correlation_id: i32,
    client_id: Option<&str>,
) -> Result<Writer, EncodeError> {
    w.frame(|w| {
        RequestHeader { api: R::API, version, correlation_id, client_id: client_id.map(Str::Borrowed) }.encode(w)?;
        request.encode(w, version)
    })?;
    Ok(w)
}

fn response_frame<'a, M: Message<'a>>(
    mut w: Writer,
    response: &M,
    version: i16,
    correlation_id: i32,
) -> Result<Writer, EncodeError> {
    w.frame(|w| {
        ResponseHeader { correlation_id }.encode(w, M::API, version)?;
        response.encode(w, version)
    })?;
    Ok(w)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse},
        heartbeat::HeartbeatRequest,
        sasl_handshake::SaslHandshakeRequest,
    };

    #[test]
    fn a_frame_is_its_length_a_header_and_a_message() {
        let frame = encode_request(&SaslHandshakeRequest { mechanism: "PLAIN".into() }, 1, 9, Some("me")).unwrap();
        assert_eq!(&frame[..], b"\0\0\0\x13\0\x11\0\x01\0\0\0\x09\0\x02me\0\x05PLAIN");
    }

    #[test]
    fn a_header_is_flexible_from_the_first_flexible_version_of_its_api() {
        for (version, behind_client_id) in [(3, 0), (4, 1)] {
            let frame = encode_request(&HeartbeatRequest::default(), version, 9, None).unwrap();
            let mut r = Reader::new(&frame[4..]);
            let header = RequestHeader::decode(&mut r).unwrap();
            assert_eq!(header, RequestHeader { api: ApiKey::Heartbeat, version, correlation_id: 9, client_id: None });
            assert_eq!(frame.len() - 4 - r.remaining(), 2 + 2 + 4 + 2 + behind_client_id);
            assert_eq!(HeartbeatRequest::decode(&mut r, version).unwrap(), HeartbeatRequest::default());
            r.finish().unwrap();
        }
    }

    #[test]
    fn the_header_of_a_version_to_come_can_still_be_read() {
        let mut r = Reader::new(b"\0\x12\0\x63\0\0\0\x07\0\x03rdk\0any bytes");
        let header = RequestHeader::decode(&mut r).unwrap();
        assert_eq!((header.api, header.version, header.correlation_id), (ApiKey::ApiVersions, 99, 7));
        assert!(ApiVersionsRequest::decode(&mut r, header.version).is_err());
    }

    #[test]
    fn an_unknown_api_is_an_error_that_names_its_key() {
        let error = RequestHeader::decode(&mut Reader::new(b"\x03\xe7\0\0\0\0\0\x07\xff\xff")).unwrap_err();
        assert_eq!(error, DecodeError::UnknownApi { key: 999 });
    }

    #[test]
    fn an_api_versions_response_has_the_first_header_in_every_version() {
        let api_keys = vec![ApiVersion { api_key: 18, min_version: 0, max_version: 4 }];
        let unsupported = ApiVersionsResponse { error_code: 35, api_keys, ..Default::default() };
        let frame = encode_response(&unsupported, 0, 7).unwrap();
        assert_eq!(&frame[..], b"\0\0\0\x10\0\0\0\x07\0\x23\0\0\0\x01\0\x12\0\0\0\x04");
        let flexible = encode_response(&ApiVersionsResponse::default(), 4, 7).unwrap();
        assert_eq!(&flexible[4..10], b"\0\0\0\x07\0\0", "the error code follows the correlation id at once");
        let mut r = Reader::new(&flexible[4..]);
        assert_eq!(ResponseHeader::decode(&mut r, ApiKey::ApiVersions, 4).unwrap().correlation_id, 7);
        assert_eq!(ApiVersionsResponse::decode(&mut r, 4).unwrap(), ApiVersionsResponse::default());
    }
}

//! MQTT 3.1.1, with the packets of the library `rumqttc`.

use std::collections::HashMap;

use anyhow::{Result, bail};
use bytes::{Bytes, BytesMut};
use rumqttc::mqttbytes::v4::{Connect, ConnectReturnCode, Packet, PubAck, Publish, Subscribe, SubscribeReasonCode};
use rumqttc::mqttbytes::{Error, QoS};

use crate::protocol::{Event, LARGEST, Protocol};

/// One connection's side.
#[derive(Debug)]
pub(crate) struct Mqtt {
    qos: QoS,
    /// The packet id used last; 0 is none.
    last: u16,
    /// Numbers of messages by packet id.
    under_way: HashMap<u16, u64>,
}

impl Mqtt {
    pub(crate) fn new(qos: u8) -> Self {
        let qos = if qos == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce };
        Self { qos, last: 0, under_way: HashMap::new() }
    }

    fn next_id(&mut self) -> u16 {
        self.last = self.last.checked_add(1).unwrap_or(1);
        self.last
    }
}

fn put(packet: &Packet, out: &mut BytesMut) {
    packet.write(out, LARGEST).expect("payloads are half of the limit at most");
}

impl Protocol for Mqtt {
    fn log_in(&mut self, name: &str, out: &mut BytesMut) {
        let mut connect = Connect::new(name);
        connect.keep_alive = 300;
        connect.set_login("bench", "bench");
        put(&Packet::Connect(connect), out);
    }

    fn subscribe(&mut self, topic: &str, out: &mut BytesMut) {
        let mut subscribe = Subscribe::new(topic, self.qos);
        subscribe.pkid = self.next_id();
        put(&Packet::Subscribe(subscribe), out);
    }

    fn publish(&mut self, topic: &str, number: u64, payload: &[u8], out: &mut BytesMut) {
        let mut publish = Publish::from_bytes(topic, self.qos, Bytes::copy_from_slice(payload));
        if self.qos != QoS::AtMostOnce {
            publish.pkid = self.next_id();
            self.under_way.insert(publish.pkid, number);
        }
        put(&Packet::Publish(publish), out);
    }

    fn next(&mut self, arrived: &mut BytesMut, out: &mut BytesMut) -> Result<Option<Event>> {
        loop {
            let event = match Packet::read(arrived, LARGEST) {
                Err(Error::InsufficientBytes(_)) => return Ok(None),
                Err(error) => bail!("not MQTT: {error}"),
                Ok(Packet::ConnAck(ack)) if ack.code == ConnectReturnCode::Success => Event::Ready,
                Ok(Packet::ConnAck(ack)) => Event::Refused(format!("{:?}", ack.code)),
                Ok(Packet::SubAck(ack)) if ack.return_codes.contains(&SubscribeReasonCode::Failure) => {
                    Event::Refused("the subscription was refused".to_owned())
                }
                Ok(Packet::SubAck(_)) => Event::Ready,
                Ok(Packet::PubAck(ack)) => match self.under_way.remove(&ack.pkid) {
                    Some(number) => Event::Acked(number),
                    None => bail!("an ack for {} that was not published", ack.pkid),
                },
                Ok(Packet::Publish(publish)) => {
                    if publish.qos == QoS::AtLeastOnce {
                        put(&Packet::PubAck(PubAck::new(publish.pkid)), out);
                    }
                    Event::Delivered(publish.payload)
                }
                Ok(_) => continue,
            };
            return Ok(Some(event));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(packet: &Packet) -> BytesMut {
        let mut bytes = BytesMut::new();
        put(packet, &mut bytes);
        bytes
    }

    #[test]
    fn acks_name_the_message_and_deliveries_are_acknowledged() {
        let (mut side, mut out) = (Mqtt::new(1), BytesMut::new());
        side.publish("topic", 70, b"hello", &mut out);
        side.publish("topic", 71, b"hello", &mut out);
        let event = side.next(&mut said(&Packet::PubAck(PubAck::new(2))), &mut out).unwrap();
        assert!(matches!(event, Some(Event::Acked(71))), "{event:?}");
        assert!(
            side.next(&mut said(&Packet::PubAck(PubAck::new(2))), &mut out).is_err(),
            "nothing is acknowledged twice"
        );
        let mut publish = Publish::from_bytes("topic", QoS::AtLeastOnce, Bytes::from_static(b"abc"));
        publish.pkid = 9;
        out.clear();
        let event = side.next(&mut said(&Packet::Publish(publish)), &mut out).unwrap();
        assert!(matches!(event, Some(Event::Delivered(payload)) if payload == "abc"));
        assert_eq!(out, said(&Packet::PubAck(PubAck::new(9))));
    }

    #[test]
    fn packet_ids_go_round_without_zero() {
        let mut side = Mqtt::new(1);
        side.last = u16::MAX;
        assert_eq!(side.next_id(), 1);
    }
}

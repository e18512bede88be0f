//! From users to deliveries: which of their devices are to be reached, over which provider, and whether the user wants it at all.

use std::sync::Arc;

use proto::store::{self, PushKind, PushProvider};

use super::channels::find_channel;
use super::keys::OwnerKey;
use super::{Push, hours};
use crate::error::Result;
use crate::ids::{AppNumber, UserId};

/// `wire.Platform`s of phones: iOS and Android.
const PHONES: [u32; 2] = [1, 2];

/// A notice to one device over one provider.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Whose device.
    pub user: UserId,
    /// Its name, as the app calls it.
    pub device: String,
    /// What the provider calls it.
    pub token: String,
    /// What the provider knows of the app.
    pub channel: Arc<store::PushChannel>,
    /// What is shown.
    pub notice: Arc<store::PushNotice>,
    /// What the app's icon shows with it; `None` leaves it.
    pub badge: Option<u32>,
    /// Without sound and vibration.
    pub quiet: bool,
}

/// A user's devices, and which of them are connected.
#[derive(Debug)]
pub(super) struct Devices {
    pub(super) all: Vec<(store::PushDevice, bool)>,
    /// Whether the user is connected from anywhere.
    pub(super) online: bool,
}

/// Which provider is taken, where a device has several.
#[derive(Debug, Clone, Copy)]
pub(super) enum Preference<'a> {
    /// The one bound last.
    Latest,
    /// The first of these; one that is not among them is not taken.
    Sequence(&'a [PushProvider]),
}

impl Push {
    pub(super) async fn devices_now(&self, app: AppNumber, user: UserId) -> Result<Devices> {
        let devices = self.devices_of(app, user).await?;
        let live = self.parts.presence.live(app, user).await?;
        // A device that was bound without a name is taken for the phone that is connected, if one is.
        let is_connected = |device: &store::PushDevice| {
            live.iter().any(|lease| match device.name.as_str() {
                "" => PHONES.contains(&lease.platform),
                name => lease.device_id == name,
            })
        };
        let all = devices.into_iter().map(|device| {
            let connected = is_connected(&device);
            (device, connected)
        });
        Ok(Devices { all: all.collect(), online: !live.is_empty() })
    }

    /// Whether a user wants to be disturbed by a notice now.
    pub(super) fn may_disturb(&self, user: &store::User, kind: PushKind) -> bool {
        let settings = user.settings.clone().unwrap_or_default();
        let quiet = self.is_within(settings.no_push_start_hour, settings.no_push_end_hour);
        !user.disabled && !settings.no_push && (kind == PushKind::Command || !quiet)
    }

    /// Whether a user wants notices without a sound now.
    pub(super) fn wants_silence(&self, user: &store::User) -> bool {
        let settings = user.settings.clone().unwrap_or_default();
        settings.no_sounds || self.is_within(settings.silence_start_hour, settings.silence_end_hour)
    }

    fn is_within(&self, start: u32, end: u32) -> bool {
        hours::within(self.parts.clock.now(), self.parts.config.push_zone, start, end)
    }

    /// The deliveries of a notice to some devices of a user. A binding counts only while its token is this device's.
    pub(super) async fn deliveries(
        &self,
        app: AppNumber,
        channels: &[Arc<store::PushChannel>],
        (user, devices): (&store::User, &[&store::PushDevice]),
        notice: &Arc<store::PushNotice>,
        preference: Preference<'_>,
    ) -> Result<Vec<Delivery>> {
        let id = UserId(user.id);
        let bound: Vec<_> =
            devices.iter().flat_map(|device| device.bindings.iter().map(move |binding| (*device, binding))).collect();
        if bound.is_empty() {
            return Ok(Vec::new());
        }
        let owner = |binding: &store::PushBinding| OwnerKey::new(app, binding.provider(), &binding.token);
        let owners: Vec<_> = bound.iter().map(|(_, binding)| owner(binding)).collect();
        let owners = self.parts.store.get_many(&owners).await?;
        let is_own = |device: &store::PushDevice, owner: &Option<store::PushOwner>| {
            owner.as_ref().is_some_and(|owner| owner.user == id.0 && owner.device == device.name)
        };
        let valid: Vec<_> =
            bound.into_iter().zip(owners).filter(|((device, _), owner)| is_own(device, owner)).collect();
        let chosen = devices.iter().filter_map(|device| {
            let of_device = valid.iter().filter(|((bound, _), _)| bound.name == device.name);
            let bindings: Vec<_> = of_device.map(|((_, binding), _)| *binding).collect();
            let (binding, channel) = choose(&bindings, channels, preference)?;
            Some((*device, binding, channel))
        });
        let held: Vec<_> = chosen.collect();
        let shown = notice.kind() != PushKind::Command && !held.is_empty();
        let badge = if shown { Some(self.move_badge(app, id, notice.badge, notice.badge_set).await?) } else { None };
        let quiet = self.wants_silence(user);
        let delivery = |(device, binding, channel): (&store::PushDevice, &store::PushBinding, &Arc<_>)| Delivery {
            user: id,
            device: device.name.clone(),
            token: binding.token.clone(),
            channel: Arc::clone(channel),
            notice: Arc::clone(notice),
            badge,
            quiet,
        };
        Ok(held.into_iter().map(delivery).collect())
    }
}

/// The binding over which a device is reached. iOS knows one provider, so it needs no preference.
fn choose<'a>(
    bindings: &[&'a store::PushBinding],
    channels: &'a [Arc<store::PushChannel>],
    preference: Preference<'_>,
) -> Option<(&'a store::PushBinding, &'a Arc<store::PushChannel>)> {
    let usable = || bindings.iter().filter_map(|binding| Some((*binding, find_channel(channels, binding)?)));
    let apns = usable().find(|(binding, _)| binding.provider() == PushProvider::Apns);
    apns.or_else(|| match preference {
        Preference::Latest => usable().max_by_key(|(binding, _)| binding.bound),
        Preference::Sequence(sequence) => {
            sequence.iter().find_map(|provider| usable().find(|(binding, _)| binding.provider() == *provider))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binding(provider: PushProvider, bound: i64) -> store::PushBinding {
        store::PushBinding { provider: provider as i32, token: bound.to_string(), channel: String::new(), bound }
    }

    fn channel(provider: PushProvider) -> Arc<store::PushChannel> {
        Arc::new(store::PushChannel { provider: provider as i32, ..store::PushChannel::default() })
    }

    #[test]
    fn a_device_is_reached_over_one_provider() {
        use PushProvider::{Apns, Fcm, Oppo, Pushkit, Xiaomi};

        let channels = [channel(Apns), channel(Fcm), channel(Xiaomi)];
        let reached = |bindings: &[store::PushBinding], preference| {
            let bindings: Vec<_> = bindings.iter().collect();
            choose(&bindings, &channels, preference).map(|(binding, _)| binding.provider())
        };
        let android = [binding(Xiaomi, 1), binding(Fcm, 2), binding(Oppo, 3)];
        assert_eq!(reached(&android, Preference::Latest), Some(Fcm), "nothing can be sent over OPPO");
        assert_eq!(reached(&android, Preference::Sequence(&[Oppo, Xiaomi, Fcm])), Some(Xiaomi));
        assert_eq!(reached(&android, Preference::Sequence(&[Oppo])), None);
        let ios = [binding(Pushkit, 1), binding(Apns, 2)];
        assert_eq!(reached(&ios, Preference::Sequence(&[Xiaomi])), Some(Apns));
        assert_eq!(reached(&[], Preference::Latest), None);
    }
}

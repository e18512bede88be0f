//! Cursors as text: what a page gave, in hex, to be handed back as it was.

use crate::dialect::Fault;

/// A cursor as it is answered.
#[must_use]
pub(crate) fn spell(cursor: Option<impl AsRef<[u8]>>) -> Option<String> {
    cursor.map(hex::encode)
}

/// A cursor that came back. Absent and empty mean the first page.
///
/// # Errors
/// [`Fault::Field`] for what no page gave.
pub(crate) fn read(text: Option<&str>) -> Result<Option<Vec<u8>>, Fault> {
    let Some(text) = text.filter(|text| !text.is_empty()) else { return Ok(None) };
    hex::decode(text).map(Some).map_err(|_| Fault::invalid("cursor", "must be one that a page gave"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_was() {
        let spelled = spell(Some([0, 7, 255])).unwrap();
        assert_eq!(read(Some(&spelled)).unwrap(), Some(vec![0, 7, 255]));
        assert_eq!((spell(None::<Vec<u8>>), read(None).unwrap(), read(Some("")).unwrap()), (None, None, None));
        assert!(read(Some("xyz")).is_err());
    }
}

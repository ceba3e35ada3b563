<?php
// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

/**
 * Addresses in a message that may stay, or '' for those that may not.
 */
final class HouseAddress
{
	/** Where a link may lead. */
	public static function link(string $address): string
	{
		$address = self::tidy($address);
		return \preg_match('~^(?:https?://|ftp://|mailto:|tel:|sms:|xmpp:|geo:|news:)~i', $address) ? $address : '';
	}

	/** Where a picture may come from: elsewhere, which people are asked about, or the message itself. */
	public static function picture(string $address): string
	{
		$address = self::tidy($address);
		$known = '~^(?:(?:https?:)?//[^/]|cid:|data:image/[a-z0-9.+-]+;base64,[a-z0-9+/=]*$|[^:/\\\\?\#%]+$)~i';
		return \preg_match($known, $address) ? $address : '';
	}

	/** Browsers drop line breaks and tabs within an address; what would end it where it is written is encoded. */
	private static function tidy(string $address): string
	{
		$address = \trim(\preg_replace('/[\x00-\x1F\x7F]+/', '', $address), ' ');
		return \preg_replace_callback('/[ "\'()<>\\\\^`{|}]/', static fn ($found) => \rawurlencode($found[0]), $address);
	}
}

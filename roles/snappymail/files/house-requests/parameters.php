<?php
// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

/**
 * Finds what no page of the application sends: a line break, or a zero byte, where no text is expected.
 *
 * The application writes parameters into commands of IMAP, SMTP and ManageSieve, and headers of messages, as they
 * are. A line break would end such a command, and begin another one that somebody else chose, by a link to the page
 * (GHSA-3w5p-7qc3-89gm).
 */
final class HouseParameters
{
	/** What has lines: texts of people, keys and certificates, by the application's method. */
	private const TEXTS = [
		'DoSaveMessage' => self::MESSAGE,
		'DoSendMessage' => self::MESSAGE,
		'DoSendReadReceiptMessage' => ['plain'],
		'DoFiltersScriptSave' => ['body'],
		'DoIdentityUpdate' => ['Signature', 'smimeCertificate', 'smimeKey'],
		'DoContactSave' => ['jCard'],
		'DoSettingsUpdate' => ['ViewImagesWhitelist'],
		'DoGnupgDecrypt' => ['data'],
		'DoPgpImportKey' => ['key'],
		'DoPgpStoreKeyPair' => ['privateKey', 'publicKey', 'revocationCertificate'],
		'DoPgpVerifyMessage' => ['bodyPart', 'sigPart'],
		'DoSMimeCreateCertificate' => ['privateKey'],
		'DoSMimeDecryptMessage' => ['certificate', 'privateKey'],
		'DoSMimeExportPrivateKey' => ['privateKey'],
		'DoSMimeImportCertificate' => ['pem'],
		'DoSMimeImportCertificatesFromMessage' => ['sigPart'],
		'DoSMimeVerifyMessage' => ['bodyPart', 'sigPart'],
		'DoStorePGPKey' => ['key'],
	];

	private const MESSAGE = [
		'encryptCertificates', 'encrypted', 'html', 'linkedData', 'plain', 'signCertificate', 'signPrivateKey', 'signed',
	];

	/** What the application writes into commands without quotes, by the parameter. */
	private const ATOMS = [
		'flagsUids' => '/^[0-9*:,]*$/D',
		'keyword' => '/^[^\x00-\x20\x7F(){%*"\\\\\]]*$/D',
		'mimeIndex' => self::PART,
		'partId' => self::PART,
		'sigPartId' => self::PART,
		'sort' => '/^[A-Z ]*$/Di',
		'threadAlgorithm' => '/^[A-Z]*$/Di',
		'threadUids' => '/^[0-9*:,]*$/D',
		'uids' => '/^[0-9*:,]*$/D',
	];

	private const PART = '/^([0-9.]*|TEXT)$/Di';

	/** Return the first parameter that has no good reason to be as it is, and what is wrong with it, or null. */
	public static function problem(string $method, array $parameters): ?string
	{
		return self::inside(\array_diff_key($parameters, \array_flip(self::TEXTS[$method] ?? [])));
	}

	private static function inside(array $values, string $parameter = ''): ?string
	{
		foreach ($values as $key => $value) {
			$name = \is_int($key) ? $parameter : $key;
			$problem = \is_string($key) && self::breaks($key) ? 'A parameter has a line break or a zero byte in its name' : (
				\is_array($value) ? self::inside($value, $name) : self::wrong($name, $value)
			);
			if ($problem) {
				return $problem;
			}
		}
		return null;
	}

	private static function wrong(string $name, $value): ?string
	{
		if (!\is_string($value)) {
			return null;
		}
		if (self::breaks($value) || ('search' === $name && self::hides($value))) {
			return "{$name} has a line break or a zero byte";
		}
		if (isset(self::ATOMS[$name]) && !\preg_match(self::ATOMS[$name], $value)) {
			return "{$name} has characters that do not belong there";
		}
		// What is asked for by an address, of which there may be a list, is packed into one value.
		$packed = \json_decode(\base64_decode(\strtr($value, '-_', '+/')), true);
		return \is_array($packed) ? self::inside($packed, $name) : null;
	}

	private static function breaks(string $value): bool
	{
		return \strpbrk($value, "\r\n\0") !== false;
	}

	/** The application reads a search as the parameters of an address, or with backslashes in what is quoted. */
	private static function hides(string $search): bool
	{
		\parse_str($search, $criteria);
		\array_walk_recursive($criteria, static function ($value) use (&$found): void {
			$found = $found || self::breaks($value);
		});
		\preg_match_all('/".*?(?<!\\\\)"|\'.*?(?<!\\\\)\'/s', $search, $quoted);
		return $found || self::breaks(\stripcslashes(\implode('', $quoted[0])));
	}
}

<?php
// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

use RainLoop\Plugins\AbstractPlugin;

require_once __DIR__ . '/address.php';
require_once __DIR__ . '/html.php';
require_once __DIR__ . '/style.php';

/**
 * Keeps messages from reaching out of their place: over the page, and to others without a question.
 *
 * The server cleans what a message shows. What the browser unpacks by itself, messages.js cleans there.
 * Tachyon knows SnappyMail's names of classes as well.
 */
class HouseMessagesPlugin extends AbstractPlugin
{
	const
		NAME = 'House messages',
		AUTHOR = 'The ilnmors.mail maintainers',
		VERSION = '@VERSION@',
		RELEASE = '2026-11-30',
		REQUIRED = '2.38.2',
		CATEGORY = 'Security',
		DESCRIPTION = 'Keeps messages within their place, and from loading anything without a question.';

	/** A document of its own is shown without scripts, forms, and anything from elsewhere. */
	const DOCUMENT = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox";

	public function Init(): void
	{
		$this->addHook('json.after-Message', 'cleanMessage');
		$this->addHook('json.after-MessageList', 'cleanNames');
		$this->addHook('filter.action-params', 'confineDocument');
		$this->addCss('messages.css');
		$this->addJs('messages.js');
	}

	public function cleanMessage(array &$response): void
	{
		if (isset($response['Result']['html'])) {
			$response['Result']['html'] = HouseHtml::clean($response['Result']['html']);
		}
		$this->cleanNames($response);
	}

	/** The application writes names of senders without an address, and of attachments, into some pages as HTML. */
	public function cleanNames(array &$response): void
	{
		foreach ($response as $key => &$value) {
			if (\is_array($value)) {
				$this->cleanNames($value);
			} else if (\is_string($value) && ('fileName' === $key || ('name' === $key && '' === ($response['email'] ?? null)))) {
				$value = \strtr($value, ['<' => '‹', '>' => '›']);
			}
		}
	}

	/** Browsers show PDF files in a program of their own, which a sandbox would stop. */
	public function confineDocument(string $method): void
	{
		if ('RawView' === $method) {
			\header('Content-Security-Policy: ' . self::DOCUMENT);
		}
	}
}

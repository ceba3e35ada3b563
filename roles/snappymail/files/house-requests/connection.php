<?php
// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

/**
 * Lets one command through at a time, whatever the application made it of.
 *
 * The application writes each command, and each line of a message over SMTP, with one call. What follows the line break
 * that ends it was put there by somebody else.
 */
final class HouseConnection extends \php_user_filter
{
	/** A line of IMAP or ManageSieve as far as its end: no line break and no zero byte, within quotes neither. */
	private const LINE = '/\G(?>[^"\r\n\0]++|"(?>[^"\\\\\r\n\0]++|\\\\[^\r\n\0])*+")*+\r\n/';

	/** How many bytes of a literal (RFC 9051, RFC 5804) are still to come. */
	private int $literal = 0;

	/** Whether lines of a message are written, over SMTP. */
	private bool $message = false;

	/** Guard what is written to a stream. */
	public static function guard($stream, string $protocol): void
	{
		\in_array('house.connection', \stream_get_filters(), true)
			|| \stream_filter_register('house.connection', self::class);
		\stream_filter_append($stream, 'house.connection', \STREAM_FILTER_WRITE, $protocol);
	}

	public function filter($in, $out, &$consumed, bool $closing): int
	{
		while ($bucket = \stream_bucket_make_writeable($in)) {
			if (!('smtp' === $this->params ? $this->isLine($bucket->data) : $this->isCommand($bucket->data))) {
				\error_log("house-requests: a second {$this->params} command in one was not sent");
				return \PSFS_ERR_FATAL;
			}
			$consumed += $bucket->datalen;
			\stream_bucket_append($out, $bucket);
		}
		return \PSFS_PASS_ON;
	}

	private function isLine(string $data): bool
	{
		$line = \substr($data, 0, -2);
		$one = \str_ends_with($data, "\r\n") && \strpbrk($line, $this->message ? "\n" : "\r\n\0") === false;
		$this->message = $this->message ? '.' !== $line : 'DATA' === $line;
		return $one;
	}

	/** Literals are whatever they are; around them, lines follow each other in one command, and nothing follows that. */
	private function isCommand(string $data): bool
	{
		$length = \strlen($data);
		$offset = 0;
		while (true) {
			$skipped = \min($this->literal, $length - $offset);
			$this->literal -= $skipped;
			$offset += $skipped;
			if ($offset === $length) {
				return true;
			}
			if (!\preg_match(self::LINE, $data, $line, 0, $offset)) {
				return false;
			}
			$offset += \strlen($line[0]);
			if (!\preg_match('/\{(\d+)\+?\}\r\n$/D', $line[0], $literal)) {
				return $offset === $length;
			}
			$this->literal = (int) $literal[1];
		}
	}
}

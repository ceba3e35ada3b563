<?php
// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

/**
 * Writes a message's HTML anew, with the elements, attributes and styles that lay out text, pictures and links.
 *
 * What is written has no other markup than that: each "<" begins one of these tags, each value is in quotes, and no
 * element changes how the text in it is read. So whichever way a browser, or the application, reads it again, it finds
 * no other elements and attributes than these.
 *
 * https://html.spec.whatwg.org/multipage/parsing.html#tokenization
 */
final class HouseHtml
{
	private const ELEMENTS = [
		'a', 'abbr', 'acronym', 'address', 'article', 'aside', 'b', 'bdi', 'bdo', 'big', 'blockquote', 'body', 'br', 'caption',
		'center', 'cite', 'code', 'col', 'colgroup', 'dd', 'del', 'details', 'dfn', 'dir', 'div', 'dl', 'dt', 'em',
		'figcaption', 'figure', 'font', 'footer', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'header', 'hgroup', 'hr', 'i', 'img',
		'ins', 'kbd', 'li', 'main', 'mark', 'nav', 'nobr', 'ol', 'p', 'pre', 'q', 'rp', 'rt', 'ruby', 's', 'samp', 'section',
		'small', 'span', 'strike', 'strong', 'sub', 'summary', 'sup', 'table', 'tbody', 'td', 'tfoot', 'th', 'thead', 'time',
		'tr', 'tt', 'u', 'ul', 'var', 'wbr',
	];
	private const EMPTY_ELEMENTS = ['br', 'col', 'hr', 'img', 'wbr'];

	/** Elements whose content is no markup; it is not shown. */
	private const HIDDEN = ['iframe', 'noembed', 'noframes', 'noscript', 'script', 'style', 'textarea', 'title'];

	/** Elements whose content is no markup; it is shown as it is. */
	private const LITERAL = ['listing', 'plaintext', 'xmp'];

	private const ATTRIBUTES = [
		'align', 'alink', 'alt', 'bgcolor', 'border', 'bordercolor', 'bottommargin', 'cellpadding', 'cellspacing', 'color',
		'cols', 'colspan', 'dir', 'face', 'frame', 'height', 'hspace', 'lang', 'leftmargin', 'link', 'noshade', 'reversed',
		'rightmargin', 'rows', 'rowspan', 'rules', 'scope', 'size', 'start', 'text', 'title', 'topmargin', 'valign', 'value',
		'vlink', 'vspace', 'width',
	];

	/** Elements within each other. Browsers stop at 512, and get slow before. */
	private const DEPTH = 200;

	private const TOKEN = '~
		(?<text>[^<]++)
		|<(?:[!?]|/(?![a-z]))[^>]*+>?
		|<(?<end>/?)(?<name>[a-z][^\s/>]*+)(?<attributes>(?:[\s/]++|=?[^\s/>=]++(?:\s*+=\s*+(?:"[^"]*+"|\'[^\']*+\'|[^\s>"\'][^\s>]*+|(?=>)))?+|=)*+)(?<close>>|$|)
		|(?<other><)
	~isxA';

	private const ATTRIBUTE = '~[\s/]*+(=?[^\s/>=]++)(?:\s*+=\s*+(?:"([^"]*+)"|\'([^\']*+)\'|([^\s>"\'][^\s>]*+))?+)?+~A';

	private string $written = '';

	/** @var string[] names of the elements that are open */
	private array $open = [];

	/** Return a message's HTML that may be shown. */
	public static function clean(string $html): string
	{
		return (new self())->write(\str_replace("\0", '', $html));
	}

	private function write(string $html): string
	{
		for ($offset = 0; \preg_match(self::TOKEN, $html, $token, 0, $offset); ) {
			if (0 === \substr_compare($html, '<!--', $offset, 4)) {
				$this->comment($html, $offset);
				continue;
			}
			$offset += \strlen($token[0]);
			$name = \strtolower($token['name'] ?? '');
			if ('' !== ($token['text'] ?? '') . ($token['other'] ?? '')) {
				$this->text($token[0]);
			} else if ('' === $name) {
				continue;
			} else if ('>' !== $token['close']) {
				// Browsers end an unfinished tag with the message. What is no tag at all ends it here, too.
				break;
			} else if ($token['end']) {
				$this->end($name);
			} else if (\in_array($name, self::HIDDEN, true) || \in_array($name, self::LITERAL, true)) {
				$content = $this->content($html, $name, $offset);
				if (\in_array($name, self::LITERAL, true)) {
					$this->written .= '<pre>' . \htmlspecialchars($content, \ENT_NOQUOTES | \ENT_SUBSTITUTE) . '</pre>';
				}
			} else {
				$this->begin($name, $token['attributes']);
			}
		}
		return $this->written . \implode('', \array_map(static fn ($name) => "</{$name}>", \array_reverse($this->open)));
	}

	/** Go on behind a comment; without an end it lasts as long as the message. */
	private function comment(string $html, int &$offset): void
	{
		$end = \preg_match('/\G<!--(-?>)|--!?>/', $html, $found, \PREG_OFFSET_CAPTURE, $offset);
		$offset = $end ? $found[0][1] + \strlen($found[0][0]) : \strlen($html);
	}

	/** Return what an element without markup holds, and go on behind it. */
	private function content(string $html, string $name, int &$offset): string
	{
		$found = \preg_match("~</{$name}[\\s/>]~i", $html, $end, \PREG_OFFSET_CAPTURE, $offset) && 'plaintext' !== $name;
		$length = ($found ? $end[0][1] : \strlen($html)) - $offset;
		$content = \substr($html, $offset, $length);
		$offset += $length;
		return $content;
	}

	/** Character references stay as they are: none of them begins a tag. */
	private function text(string $text): void
	{
		$this->written .= \strtr($text, ['<' => '&lt;', '>' => '&gt;']);
	}

	private function begin(string $name, string $attributes): void
	{
		if (!\in_array($name, self::ELEMENTS, true)) {
			return;
		}
		$empty = \in_array($name, self::EMPTY_ELEMENTS, true);
		if (!$empty && \count($this->open) >= self::DEPTH) {
			return;
		}
		$this->written .= "<{$name}{$this->attributes($name, $attributes)}>";
		if (!$empty) {
			$this->open[] = $name;
		}
	}

	private function end(string $name): void
	{
		$last = \array_search($name, \array_reverse($this->open), true);
		if (false !== $last) {
			\array_splice($this->open, -1 - $last);
			$this->written .= "</{$name}>";
		}
	}

	private function attributes(string $element, string $source): string
	{
		$attributes = [];
		\preg_match_all(self::ATTRIBUTE, $source, $found, \PREG_SET_ORDER);
		foreach ($found as $one) {
			$value = \html_entity_decode(\implode('', \array_slice($one, 2)), \ENT_QUOTES | \ENT_HTML5, 'UTF-8');
			// Browsers take the first of several.
			$attributes += [\strtolower($one[1]) => $value];
		}
		$kept = \array_intersect_key($attributes, \array_flip(self::ATTRIBUTES));
		$kept['style'] = \implode(';', \array_filter([
			HouseStyle::clean($attributes['style'] ?? ''),
			HouseStyle::background($attributes['background'] ?? ''),
		]));
		$kept['href'] = 'a' === $element ? HouseAddress::link($attributes['href'] ?? '') : '';
		$kept['src'] = 'img' === $element ? HouseAddress::picture($attributes['src'] ?? '') : '';
		$written = '';
		foreach ($kept as $name => $value) {
			if ('' !== $value || !\in_array($name, ['style', 'href', 'src'], true)) {
				$written .= " {$name}=\"" . \htmlspecialchars($value, \ENT_QUOTES | \ENT_SUBSTITUTE | \ENT_HTML5, 'UTF-8') . '"';
			}
		}
		return $written;
	}
}

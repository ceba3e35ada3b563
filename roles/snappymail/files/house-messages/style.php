<?php
// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

/**
 * Keeps of an element's style what lays out text, and of all that a style can load one picture in the background.
 */
final class HouseStyle
{
	/** Properties that stay. None of them moves an element over others, or makes it look like the page around it. */
	private const PROPERTY = '/^(?:
		background(?:-(?:color|image|position|repeat|size))?
		|border(?:-(?:top|right|bottom|left))?(?:-(?:color|style|width))?
		|border-(?:collapse|spacing|radius|(?:top|bottom)-(?:left|right)-radius)
		|(?:margin|padding)(?:-(?:top|right|bottom|left))?
		|(?:min-|max-)?(?:width|height)
		|font(?:-(?:family|size|style|variant|weight))?
		|text-(?:align|decoration(?:-(?:color|line|style))?|indent|overflow|shadow|transform)
		|(?:letter|word)-spacing|line-height|white-space|word-(?:break|wrap)|overflow(?:-wrap)?|hyphens|tab-size
		|list-style(?:-(?:position|type))?|caption-side|empty-cells|table-layout|vertical-align
		|color|opacity|direction|unicode-bidi|display|visibility|float|clear|box-(?:shadow|sizing)|object-fit
		|flex(?:-(?:basis|direction|flow|grow|shrink|wrap))?|align-(?:content|items|self)|justify-content|(?:column-|row-)?gap
	)$/xD';

	/** What a value is made of: no escapes, no blocks, and no functions but those below. */
	private const VALUE = '~^(?<value>(?:[\p{L}\p{N}\s#%.,+*/_-]|"[\p{L}\p{N}\s.,_-]*"|\'[\p{L}\p{N}\s.,_-]*\'|\((?&value)\))*+)$~Du';
	private const FUNCTIONS = ['calc', 'clamp', 'hsl', 'hsla', 'linear-gradient', 'max', 'min', 'radial-gradient', 'rgb', 'rgba'];

	private const URL = '/\burl\(\s*(?:"([^"]*)"|\'([^\']*)\'|([^"\'()\s]*))\s*\)/i';

	/** Return the declarations that may stay of those in an attribute. */
	public static function clean(string $style): string
	{
		$kept = [];
		$style = \preg_replace('~/\*.*?(?:\*/|$)~s', '', $style);
		\preg_match_all('/(?:[^;"\'()]++|"[^"]*"|\'[^\']*\'|\((?:[^"\'()]++|"[^"]*"|\'[^\']*\'|\([^()]*\))*\))+/', $style, $declarations);
		foreach ($declarations[0] as $declaration) {
			[$property, $value] = \explode(':', $declaration, 2) + [1 => ''];
			\array_push($kept, ...self::declarations(
				\strtolower(\trim($property)),
				\trim(\preg_replace('/!\s*important\s*$/i', '', $value))
			));
		}
		return \implode(';', $kept);
	}

	/** Return a declaration of a picture behind an element's content, or ''. */
	public static function background(string $address): string
	{
		$address = HouseAddress::picture($address);
		return '' === $address ? '' : "background-image:url(\"{$address}\")";
	}

	/** @return string[] */
	private static function declarations(string $property, string $value): array
	{
		if (!\preg_match(self::PROPERTY, $property)) {
			return [];
		}
		$pictures = [];
		if (\str_starts_with($property, 'background') && \preg_match(self::URL, $value, $url)) {
			$pictures = \array_filter([self::background(\implode('', \array_slice($url, 1)))]);
			$value = \trim(\preg_replace(self::URL, ' ', $value));
			$property = 'background-image' === $property ? 'background' : $property;
		}
		if ('' === $value || !\preg_match(self::VALUE, $value)) {
			return $pictures;
		}
		\preg_match_all('/([\w-]*)\s*\(/', \strtolower($value), $functions);
		return \array_diff($functions[1], [...self::FUNCTIONS, ''])
			? $pictures
			: ["{$property}:{$value}", ...$pictures];
	}
}

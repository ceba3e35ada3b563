<?php
// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

/**
 * Lets links of messages lead to the world and to people, and nowhere else.
 *
 * Roundcube takes away those that are programs. What is left may name the application itself (`view-source:`, `blob:`,
 * `filesystem:`), a program of the reader's device, or an address within the webmail.
 */
class house_links extends rcube_plugin
{
    public $task = 'mail';

    /** A link as the cleaned message has it: its attributes are in double quotes. */
    private const LINK = '~<(?:a|area)\b[^<>]*>~i';
    private const ELSEWHERE = '~\s(?:xlink:)?href="(?!(?:https?://|mailto:|tel:|#))[^"]*"~i';

    public function init(): void
    {
        $this->add_hook('message_part_after', [$this, 'limitLinks']);
    }

    public function limitLinks(array $args): array
    {
        if ($args['type'] === 'html') {
            $args['body'] = \preg_replace_callback(
                self::LINK,
                static fn (array $found): string => \preg_replace(self::ELSEWHERE, '', $found[0]),
                $args['body']
            );
        }
        return $args;
    }
}

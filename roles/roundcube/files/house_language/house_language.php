<?php
// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

/**
 * Speaks the language of the browser that somebody logs in with, until they choose one in the settings.
 *
 * Roundcube would keep the language of the very first login, on every other device as well.
 */
class house_language extends rcube_plugin
{
    public $task = 'login|settings';

    private const CHOSEN = 'house_language_chosen';

    /** What the login page was written in. */
    private string $spoken = '';

    public function init(): void
    {
        $this->add_hook('authenticate', [$this, 'listen']);
        $this->add_hook('login_after', [$this, 'followBrowser']);
        $this->add_hook('preferences_save', [$this, 'noteChoice']);
    }

    public function listen(array $args): array
    {
        $this->spoken = (string) ($_SESSION['language'] ?? '');
        return $args;
    }

    public function followBrowser(array $args): array
    {
        $user = rcmail::get_instance()->user;
        if (!$this->isChosen() && $this->spoken !== '' && $this->spoken !== $user->language) {
            $_SESSION['language'] = $this->spoken;
            // It stores the session's language with them.
            $user->save_prefs([self::CHOSEN => false]);
        }
        return $args;
    }

    public function noteChoice(array $args): array
    {
        if ($args['section'] === 'general' && isset($args['prefs']['language'])) {
            $other = $args['prefs']['language'] !== rcmail::get_instance()->user->language;
            $args['prefs'][self::CHOSEN] = $other || $this->isChosen();
        }
        return $args;
    }

    private function isChosen(): bool
    {
        return !empty(rcmail::get_instance()->user->get_prefs()[self::CHOSEN]);
    }
}

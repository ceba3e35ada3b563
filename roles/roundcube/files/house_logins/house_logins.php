<?php
// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

/** Logs who logs in, and who fails to: an entry each, from which fail2ban reads the address. */
class house_logins extends rcube_plugin
{
    public $task = 'login';

    // Passwords that were not tried: the mail host was not reached, or the request was none of the login page's.
    private const NOT_TRIED = [
        rcmail::ERROR_STORAGE,
        rcmail::ERROR_INVALID_REQUEST,
        rcmail::ERROR_INVALID_HOST,
        rcmail::ERROR_COOKIES_DISABLED,
    ];

    public function init(): void
    {
        $this->add_hook('login_failed', [$this, 'logFailure']);
        $this->add_hook('login_after', [$this, 'logSuccess']);
    }

    public function logFailure(array $args): array
    {
        if (!\in_array($args['code'], self::NOT_TRIED, true)) {
            $this->log(LOG_NOTICE, 'Auth failed', (string) $args['user']);
        }
        return $args;
    }

    public function logSuccess(array $args): array
    {
        $this->log(LOG_INFO, 'Logged in', rcmail::get_instance()->user->get_username());
        return $args;
    }

    /** nginx has read who a proxy speaks for. What somebody typed comes last, and is one line. */
    private function log(int $level, string $what, string $user): void
    {
        $shown = \preg_replace('/[^\x21-\x7e]/', '?', \substr($user, 0, 128));
        \syslog($level, "{$what}: ip={$_SERVER['REMOTE_ADDR']} user={$shown}");
    }
}

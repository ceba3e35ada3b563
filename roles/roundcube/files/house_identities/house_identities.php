<?php
// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

/**
 * Offers people the addresses that the mail host lets them send as, and stores no others.
 *
 * The file that the setting house_people names says which these are.
 */
class house_identities extends rcube_plugin
{
    public $task = 'login|mail|settings';

    /** @var array<string, array{name: string, addresses: string[]}> by login name */
    private array $people = [];

    public function init(): void
    {
        $hooks = [
            'user_create' => 'nameNewcomer',
            'login_after' => 'putRight',
            'identity_create' => 'judge',
            'identity_update' => 'judge',
            'identity_form' => 'offerAddresses',
            'message_before_send' => 'judgeSender',
        ];
        foreach ($hooks as $hook => $act) {
            // Few requests need to know who people are.
            $this->add_hook($hook, fn (array $args): array => $this->readPeople() ? $this->$act($args) : $args);
        }
    }

    /** Read who people are, once; tell whether that is known. */
    private function readPeople(): bool
    {
        if ($this->people) {
            return true;
        }
        $file = (string) rcmail::get_instance()->config->get('house_people');
        $people = \is_readable($file) ? \json_decode(\file_get_contents($file), true) : null;
        if (!\is_array($people)) {
            // People go on with the identities that they have: the mail host refuses what it must.
            \error_log("house_identities: {$file} cannot be read; identities are not limited");
            return false;
        }
        $this->people = $people;
        return true;
    }

    /** Make a newcomer's identities; the first one is their own. */
    public function nameNewcomer(array $args): array
    {
        $person = $this->person($args['user']);
        $args['user_email'] = $person['addresses'][0];
        $args['email_list'] = $person['addresses'];
        return $args;
    }

    /** At each login, add the identities that are missing, and take away those of others. */
    public function putRight(array $args): array
    {
        $user = rcmail::get_instance()->user;
        $person = $this->own();
        $found = \array_map(static fn (array $one) => \strtolower($one['email']), $user->list_identities());
        foreach (\array_diff($person['addresses'], $found) as $address) {
            $this->restore($address) || $user->insert_identity([
                'email' => $address,
                'name' => $person['name'],
                'standard' => 0,
            ]);
        }
        $taken = false;
        foreach ($user->list_identities() as $identity) {
            if (!$this->permits($identity['email'])) {
                $user->delete_identity($identity['identity_id']);
                $taken = $taken || $identity['standard'];
            }
        }
        if ($taken) {
            $user->set_default($user->list_identities()[0]['identity_id']);
        }
        return $args;
    }

    /** Refuse to store an identity with somebody else's address. */
    public function judge(array $args): array
    {
        if (!empty($args['login'])) {
            $args['record']['name'] = $this->own()['name'];
            return $args;
        }
        if (!$this->permits($args['record']['email'] ?? '')) {
            $args['abort'] = true;
            $args['result'] = false;
            $args['message'] = $this->refusal();
        }
        return $args;
    }

    /** Let the address be chosen rather than typed. */
    public function offerAddresses(array $args): array
    {
        $select = new html_select(['name' => '_email', 'id' => 'rcmfd_email']);
        foreach ($this->own()['addresses'] as $address) {
            $select->add(rcube_utils::idn_to_utf8($address), $address);
        }
        $args['form']['addressing']['content']['email']['value'] = $select->show(
            \strtolower(rcube_utils::idn_to_ascii($args['record']['email'] ?? ''))
        );
        return $args;
    }

    /** Send nothing as somebody else. Who sends a message on is in its Resent-From. */
    public function judgeSender(array $args): array
    {
        $headers = $args['message']->headers();
        $senders = rcube_mime::decode_address_list($headers['Resent-From'] ?? $headers['From'] ?? '', null, false);
        $addresses = \array_column($senders, 'mailto');
        // A receipt has no sender on its envelope (RFC 8098).
        if ($args['from'] !== '' && \is_string($args['from'])) {
            $addresses[] = $args['from'];
        }
        foreach ($addresses as $address) {
            if (!$this->permits($address)) {
                return ['abort' => true, 'result' => false, 'error' => $this->refusal()] + $args;
            }
        }
        return $args;
    }

    /** Bring an identity back that was taken away within the last days, with its signature. */
    private function restore(string $address): bool
    {
        $rcmail = rcmail::get_instance();
        $db = $rcmail->get_dbh();
        $table = $db->table_name('identities', true);
        $db->limitquery(
            "SELECT `identity_id` FROM {$table} WHERE `user_id` = ? AND `del` = 1 AND `email` = ? ORDER BY `changed` DESC",
            0,
            1,
            $rcmail->user->ID,
            $address
        );
        if (!($row = $db->fetch_assoc())) {
            return false;
        }
        $db->query("UPDATE {$table} SET `del` = 0, `standard` = 0 WHERE `identity_id` = ?", $row['identity_id']);
        return true;
    }

    private function permits(string $address): bool
    {
        return \in_array(\strtolower(rcube_utils::idn_to_ascii($address)), $this->own()['addresses'], true);
    }

    private function refusal(): string
    {
        $this->add_texts('localization/');
        return $this->gettext(['name' => 'notyours', 'vars' => ['addresses' => \implode(', ', $this->own()['addresses'])]]);
    }

    /** @return array{name: string, addresses: string[]} of who is logged in */
    private function own(): array
    {
        return $this->person(rcmail::get_instance()->user->get_username());
    }

    /** @return array{name: string, addresses: string[]} people of a directory have their own address alone */
    private function person(string $login): array
    {
        $login = \strtolower($login);
        return $this->people[$login] ?? ['name' => '', 'addresses' => [$login]];
    }
}

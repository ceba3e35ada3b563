<?php
// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

/**
 * Takes people's identities, signatures and contacts from SnappyMail along into Roundcube.
 *
 * Arguments: SnappyMail's private data folder, Roundcube's user, the mail host. It begins as root, reads all that it
 * takes along, and goes on as Roundcube's user. What a person has in Roundcube already stays as it is, and nothing is
 * taken along twice, even if it was changed or removed since. It says how much of what it took, and of whom.
 */

[, $folder, $account, $host] = $argv;
$people = (new SnappyMail($folder))->people();

$user = posix_getpwnam($account);
if (!$user || !posix_setgid($user['gid']) || !posix_initgroups($account, $user['gid']) || !posix_setuid($user['uid'])) {
    fwrite(STDERR, "cannot go on as the user {$account}\n");
    exit(1);
}

define('INSTALL_PATH', '/var/lib/roundcube/');
require INSTALL_PATH . 'program/include/clisetup.php';
// Who comes for the first time gets the identities of the house.
rcmail::get_instance()->plugins->load_plugin('house_identities', true);

foreach ($people as $login => $person) {
    $taken = (new Newcomer($login, $host))->take($person['identities'], $person['contacts']);
    if (array_sum($taken) > 0) {
        echo "{$login}: {$taken['identities']} identities, {$taken['contacts']} contacts\n";
    }
}

/** What SnappyMail and Tachyon keep of people. */
class SnappyMail
{
    // RainLoop\Providers\AddressBook\Enumerations\PropertyType
    private const JCARD = 251;

    public function __construct(private string $folder)
    {
    }

    /** @return array<string, array{identities: array[], contacts: string[]}> by login name; contacts are vCards */
    public function people(): array
    {
        $people = [];
        foreach (glob("{$this->folder}/storage/*/*", GLOB_ONLYDIR) as $home) {
            $login = basename($home) . '@' . basename(dirname($home));
            $people[$login] = [
                'identities' => $this->identities("{$home}/identities", $login),
                'contacts' => [...$this->contacts("{$home}/AddressBook.sqlite", $login),
                    ...$this->contacts("{$this->folder}/AddressBook.sqlite", $login)],
            ];
        }
        return $people;
    }

    /** @return array[] in Roundcube's words */
    private function identities(string $file, string $login): array
    {
        $stored = is_file($file) ? json_decode(file_get_contents($file), true) : [];
        return array_map(static function (array $one) use ($login): array {
            $signature = $one['Signature'] ?? '';
            $html = str_starts_with($signature, ':HTML:');
            return [
                // That of the login itself follows the login.
                'email' => strtolower(empty($one['Id']) ? $login : $one['Email']),
                'name' => $one['Name'] ?? '',
                'reply-to' => $one['ReplyTo'] ?? '',
                'bcc' => $one['Bcc'] ?? '',
                'signature' => $html ? substr($signature, 6) : $signature,
                'html_signature' => $html ? 1 : 0,
            ];
        }, array_values(array_filter((array) $stored, 'is_array')));
    }

    /** @return string[] */
    private function contacts(string $file, string $login): array
    {
        if (!is_file($file)) {
            return [];
        }
        $book = new PDO("sqlite:{$file}", null, null, [PDO::ATTR_ERRMODE => PDO::ERRMODE_EXCEPTION,
            PDO::SQLITE_ATTR_OPEN_FLAGS => PDO::SQLITE_OPEN_READONLY]);
        $cards = $book->prepare('SELECT p.prop_value FROM rainloop_ab_properties p
            JOIN rainloop_ab_contacts c ON c.id_contact = p.id_contact AND c.id_user = p.id_user
            JOIN rainloop_users u ON u.id_user = c.id_user
            WHERE p.prop_type = ? AND c.deleted = 0 AND lower(u.rl_email) = ? ORDER BY c.id_contact');
        $cards->execute([self::JCARD, $login]);
        return array_filter(array_map([$this, 'card'], $cards->fetchAll(PDO::FETCH_COLUMN)));
    }

    /** Write a jCard (RFC 7095) as a vCard (RFC 6350). */
    private function card(string $json): string
    {
        $lines = [];
        foreach (json_decode($json, true)[1] ?? [] as [$name, $parameters, , $value]) {
            if ($name === 'x-crypto') {
                continue;
            }
            $words = array_filter([strtoupper($name), ...$this->parameters((array) $parameters)]);
            $parts = array_map(fn ($part) => $this->escaped((array) $part), is_array($value) ? $value : [$value]);
            $lines[] = implode(';', $words) . ':' . implode(';', $parts);
        }
        return $lines ? "BEGIN:VCARD\r\n" . implode("\r\n", $lines) . "\r\nEND:VCARD\r\n" : '';
    }

    private function parameters(array $parameters): array
    {
        $words = [];
        foreach ($parameters as $name => $value) {
            // Roundcube reads vCard 3.0, which has no PREF of its own and no groups.
            if (!in_array($name, ['group', 'pref'], true)) {
                $words[] = strtoupper($name) . '=' . implode(',', (array) $value);
            }
        }
        return $words;
    }

    private function escaped(array $values): string
    {
        return implode(',', array_map(
            static fn ($one) => str_replace(["\r\n", "\n"], '\n', addcslashes((string) $one, '\\,;')),
            $values
        ));
    }
}

/** A person in Roundcube, who is there already or comes with what was theirs. */
class Newcomer
{
    private rcube_user $user;

    /** @var array<string, bool> what was taken along before */
    private array $known;

    public function __construct(string $login, string $host)
    {
        $rcmail = rcmail::get_instance();
        $this->user = rcube_user::query($login, $host) ?: rcube_user::create($login, $host);
        $rcmail->set_user($this->user);
        $this->known = $this->user->get_prefs()['house_moved'] ?? [];
    }

    /** @return array{identities: int, contacts: int} how many were taken along */
    public function take(array $identities, array $contacts): array
    {
        $taken = [
            'identities' => count(array_filter($identities, [$this, 'takeIdentity'])),
            'contacts' => count(array_filter($contacts, [$this, 'takeContact'])),
        ];
        if (array_sum($taken) > 0) {
            $this->user->save_prefs(['house_moved' => $this->known]);
        }
        return $taken;
    }

    private function isNew(string $thing): bool
    {
        $digest = substr(sha1($thing), 0, 16);
        $new = !isset($this->known[$digest]);
        $this->known[$digest] = true;
        return $new;
    }

    /** An identity that nobody has touched yet becomes the one that the person had; others stay beside it. */
    private function takeIdentity(array $identity): bool
    {
        if (!$this->isNew(json_encode($identity))) {
            return false;
        }
        if ($identity['html_signature']) {
            $washed = (new rcube_washtml(['allow_remote' => true]))->wash($identity['signature']);
            $identity['signature'] = trim(preg_replace('/<!--.*?-->/s', '', $washed));
        }
        foreach ($this->user->list_identities() as $own) {
            $same = strtolower($own['email']) === $identity['email'];
            if ($same && (string) $own['signature'] === '' && (string) $own['reply-to'] . $own['bcc'] === '') {
                $identity['name'] = $identity['name'] ?: $own['name'];
                return $this->user->update_identity($own['identity_id'], ['standard' => $own['standard']] + $identity);
            }
        }
        return (bool) $this->user->insert_identity(['standard' => 0] + $identity);
    }

    private function takeContact(string $card): bool
    {
        if (!$this->isNew($card)) {
            return false;
        }
        $book = new rcube_contacts(rcmail::get_instance()->get_dbh(), $this->user->ID);
        $contact = (new rcube_vcard($card, RCUBE_CHARSET, false))->get_assoc();
        foreach ($contact as $field => $values) {
            foreach (str_starts_with($field, 'email') ? (array) $values : [] as $address) {
                if ($book->search('email', $address, rcube_addressbook::SEARCH_STRICT, false)->count > 0) {
                    return false;
                }
            }
        }
        return (bool) $book->insert($contact);
    }
}

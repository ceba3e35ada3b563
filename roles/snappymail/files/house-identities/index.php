<?php
// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

use RainLoop\Exceptions\ClientException;
use RainLoop\Model\Identity;
use RainLoop\Notifications;
use RainLoop\Plugins\AbstractPlugin;
use RainLoop\Providers\Identities\IIdentities;

/**
 * Offers people the addresses that the mail host lets them send as, and stores no others.
 *
 * people.json beside this file says which these are. Tachyon knows SnappyMail's names of classes as well.
 */
class HouseIdentitiesPlugin extends AbstractPlugin
{
	const
		NAME = 'House identities',
		AUTHOR = 'The ilnmors.mail maintainers',
		VERSION = '@VERSION@',
		RELEASE = '2026-11-23',
		REQUIRED = '2.38.2',
		CATEGORY = 'Accounts',
		DESCRIPTION = 'Limits identities to the addresses that people may send as.';

	const PEOPLE = __DIR__ . '/people.json';

	public function Init(): void
	{
		$this->UseLangs(true);
		$this->addHook('filter.fabrica', 'limitIdentities');
	}

	/** Without a list, people go on with the identities that they stored: the mail host refuses what it must. */
	public function limitIdentities(string $name, &$stores): void
	{
		if ('identities' !== $name) {
			return;
		}
		$people = \is_readable(self::PEOPLE) ? \json_decode(\file_get_contents(self::PEOPLE), true) : null;
		if (!\is_array($people)) {
			\error_log('house-identities: ' . self::PEOPLE . ' cannot be read; identities are not limited');
			return;
		}
		$stores = [new HouseIdentities(\end($stores), $people)];
	}
}

/** The application's own store, which keeps only what differs from the ready-made identities. */
class HouseIdentities implements IIdentities
{
	private IIdentities $store;

	/** @var array<string, array{name: string, addresses: string[]}> by login name */
	private array $people;

	public function __construct(IIdentities $store, array $people)
	{
		$this->store = $store;
		$this->people = $people;
	}

	public function GetIdentities($account): array
	{
		$ready = $this->ready($account->Email());
		$stored = [];
		foreach ($this->store->GetIdentities($account) as $identity) {
			if ($this->permits($ready, $identity)) {
				$stored[$identity->Id()] = $identity;
			}
		}
		return \array_values(\array_replace($ready, $stored));
	}

	public function SetIdentities($account, array $identities): void
	{
		$ready = $this->ready($account->Email());
		foreach ($identities as $identity) {
			if (!$this->permits($ready, $identity)) {
				throw new ClientException(Notifications::AccountNotAllowed, null, $this->refusal($ready, $identity));
			}
		}
		$this->store->SetIdentities($account, \array_filter(
			$identities,
			static fn (Identity $one) => $one->ToSimpleJSON() != ($ready[$one->Id()] ?? null)?->ToSimpleJSON()
		));
	}

	public function SupportsStore(): bool
	{
		return true;
	}

	public function Name(): string
	{
		return $this->store->Name();
	}

	/** The identities that nobody has to make, by their names in the store; that of the login's own address is ''. */
	private function ready(string $login): array
	{
		$login = \strtolower($login);
		$person = $this->people[$login] ?? ['name' => '', 'addresses' => [$login]];
		$identities = [];
		foreach ($person['addresses'] as $address) {
			$id = $address === $login ? '' : \substr(\sha1($address), 0, 16);
			$identities[$id] = (new Identity($id, $address))->SetName($person['name']);
		}
		return $identities;
	}

	/** A ready-made identity keeps its address; others have any of these addresses. */
	private function permits(array $ready, Identity $identity): bool
	{
		$own = $ready[$identity->Id()] ?? null;
		return \in_array(\strtolower($identity->Email()), $this->addresses($own ? [$own] : $ready), true);
	}

	private function refusal(array $ready, Identity $identity): string
	{
		return "You may not send as {$identity->Email()}. Your addresses are: "
			. \implode(', ', $this->addresses($ready)) . '.';
	}

	private function addresses(array $identities): array
	{
		return \array_values(\array_map(static fn (Identity $one) => $one->Email(), $identities));
	}
}

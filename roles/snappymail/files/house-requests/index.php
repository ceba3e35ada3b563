<?php
// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

use RainLoop\Exceptions\ClientException;
use RainLoop\Notifications;
use RainLoop\Plugins\AbstractPlugin;
use RainLoop\Providers\Storage\Enumerations\StorageType;
use RainLoop\Utils;
use SnappyMail\Cookies;

require_once __DIR__ . '/connection.php';
require_once __DIR__ . '/parameters.php';

/**
 * Refuses requests that reach further than they should: to other servers, into commands to the mail host, and into a
 * session that has ended.
 *
 * Tachyon knows SnappyMail's names of classes as well.
 */
class HouseRequestsPlugin extends AbstractPlugin
{
	const
		NAME = 'House requests',
		AUTHOR = 'The ilnmors.mail maintainers',
		VERSION = '@VERSION@',
		RELEASE = '2026-11-30',
		REQUIRED = '2.38.2',
		CATEGORY = 'Security',
		DESCRIPTION = 'Keeps requests from reaching other servers, and from commands of others.';

	public function Init(): void
	{
		// A key server, for anyone.
		$this->addHook('json.before-PgpSearchKey', 'refuse');
		$this->addHook('json.before-PgpImportKey', 'refuseWithoutKey');
		// A CardDAV server at any address, for who is logged in, even where contacts.allow_sync hides it.
		foreach (['SaveContactsSyncData', 'TestContactsSyncData', 'ContactsSync'] as $action) {
			$this->addHook("json.before-{$action}", 'refuseUnlessSynchronized');
		}
		$this->addHook('filter.action-params', 'refuseLineBreaks');
		foreach (['imap', 'smtp', 'sieve'] as $protocol) {
			$this->addHook("{$protocol}.after-connect", "guard{$protocol}");
		}
		$this->addHook('json.before-Logout', 'endSession');
	}

	public function refuse(string $reason = 'The webmail asks no other servers.'): void
	{
		throw new ClientException(Notifications::InvalidInputArgument, null, $reason);
	}

	public function refuseWithoutKey(): void
	{
		$this->Manager()->Actions()->GetActionParam('key', '') || $this->refuse();
	}

	public function refuseUnlessSynchronized(): void
	{
		$this->Manager()->Actions()->Config()->Get('contacts', 'allow_sync', false) || $this->refuse();
	}

	public function refuseLineBreaks(string $method, array &$parameters): void
	{
		if ($problem = HouseParameters::problem($method, $parameters)) {
			$this->refuse("{$problem}. The request was refused.");
		}
	}

	public function guardImap($account, $client): void
	{
		HouseConnection::guard($client->ConnectionResource(), 'imap');
	}

	public function guardSieve($account, $client): void
	{
		HouseConnection::guard($client->ConnectionResource(), 'sieve');
	}

	public function guardSmtp($account, $client): void
	{
		HouseConnection::guard($client->ConnectionResource(), 'smtp');
	}

	/**
	 * The application would only ask the browser to forget its cookies, and make them good again at the next login there.
	 */
	public function endSession(): void
	{
		$actions = $this->Manager()->Actions();
		$account = $actions->getMainAccountFromToken(false);
		$session = Utils::GetSessionToken(false);
		if ($account && $session) {
			$actions->StorageProvider()->Clear($account, StorageType::SESSION, $session);
		}
		Cookies::clear(Utils::SESSION_TOKEN);
	}
}

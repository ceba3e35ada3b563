<?php
// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

use RainLoop\Exceptions\ClientException;
use RainLoop\Notifications;
use RainLoop\Plugins\AbstractPlugin;

/**
 * Refuses actions by which the server asks other servers: some of them ask for strangers, some at any address.
 *
 * Tachyon knows SnappyMail's names of classes as well.
 */
class HouseRequestsPlugin extends AbstractPlugin
{
	const
		NAME = 'House requests',
		AUTHOR = 'The ilnmors.mail maintainers',
		VERSION = '1.0.0',
		RELEASE = '2026-11-23',
		REQUIRED = '2.38.2',
		CATEGORY = 'Security',
		DESCRIPTION = 'Keeps the server from asking other servers on behalf of people.';

	public function Init(): void
	{
		// A key server, for anyone.
		$this->addHook('json.before-PgpSearchKey', 'refuse');
		$this->addHook('json.before-PgpImportKey', 'refuseWithoutKey');
		// A CardDAV server at any address, for who is logged in, even where contacts.allow_sync hides it.
		foreach (['SaveContactsSyncData', 'TestContactsSyncData', 'ContactsSync'] as $action) {
			$this->addHook("json.before-{$action}", 'refuseUnlessSynchronized');
		}
	}

	public function refuse(): void
	{
		throw new ClientException(Notifications::InvalidInputArgument, null, 'The webmail asks no other servers.');
	}

	public function refuseWithoutKey(): void
	{
		$this->Manager()->Actions()->GetActionParam('key', '') || $this->refuse();
	}

	public function refuseUnlessSynchronized(): void
	{
		$this->Manager()->Actions()->Config()->Get('contacts', 'allow_sync', false) || $this->refuse();
	}
}

<?php
// Copyright: the ilnmors.mail maintainers
// GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)

use RainLoop\Plugins\AbstractPlugin;

/**
 * Says and shows what people should see: right words, marks that mean something, and filters that work once saved.
 *
 * Tachyon knows SnappyMail's names of classes as well.
 */
class HousePagesPlugin extends AbstractPlugin
{
	const
		NAME = 'House pages',
		AUTHOR = 'The ilnmors.mail maintainers',
		VERSION = '@VERSION@',
		RELEASE = '2026-11-30',
		REQUIRED = '2.38.2',
		CATEGORY = 'Interface',
		DESCRIPTION = 'Corrects words, marks and the ways of filters.';

	public function Init(): void
	{
		$this->UseLangs(true);
		$this->addCss('pages.css');
		$this->addJs('pages.js');
	}
}

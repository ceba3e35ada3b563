# Copyright: the ilnmors.mail maintainers
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The guide in Korean."""

from __future__ import annotations

from ansible_collections.ilnmors.mail.plugins.module_utils._render.setup_guide.texts import (
    Android,
    Apple,
    Linux,
    Others,
    Texts,
    Trust,
    Windows,
)

TEXTS = Texts(
    name="한국어",
    title="{domain} 메일 설정",
    intro=(
        "휴대전화, 태블릿, 컴퓨터에서 메일을 쓸 수 있도록 5분쯤이면 설정할 수 있습니다. "
        "`name@{domain}` 같은 메일 주소와 비밀번호를 준비하세요."
    ),
    read_in_browser="설정 없이 브라우저에서 메일 읽기",
    code="{url} 의 QR 코드",
    code_caption="휴대전화 카메라로 비추면 이 페이지가 열립니다.",
    choose="사용하는 기기를 고르세요",
    other_languages="언어",
    trust=Trust(
        heading="인증서를 설치해야 하는 이유",
        why=(
            "이 집의 메일 서버는 집에서 직접 만든 인증서로 자신을 증명하므로, 기기마다 한 번씩 그 인증서를 믿도록 "
            "알려 주어야 합니다. 이 페이지를 열 때 브라우저가 경고한 것도 그 때문입니다. 방법은 아래에 있습니다."
        ),
        limited=(
            "이 인증서는 {domains} 안의 이름에만 통하고 다른 이름에는 통하지 않습니다. "
            "누구도 이것으로 은행 사이트인 척할 수 없습니다."
        ),
        unlimited=(
            "이 인증서는 이 집의 이름으로 제한되어 있지 않습니다. "
            "메일을 운영하는 사람에게 웹에서 하는 모든 일을 맡길 수 있을 때만 설치하세요."
        ),
        fingerprint="{authority}의 SHA-256 지문입니다. 메일을 운영하는 사람이 직접 알려 준 것과 비교하세요.",
        get_certificate="인증서 받기",
    ),
    apple=Apple(
        name="iPhone, iPad, Mac",
        open_profile="프로파일 열기",
        phone="iPhone, iPad",
        phone_open="이 페이지를 *Safari*로 열고 버튼을 누른 다음 *허용*을 선택하세요.",
        phone_install=(
            "*설정 › 일반 › VPN 및 기기 관리* › \u201c{profile}\u201d › *설치*. "
            "메일 주소와 비밀번호를 물으면 입력하세요."
        ),
        phone_trust="*설정 › 일반 › 정보 › 인증서 신뢰 설정*(맨 아래)에서 \u201c{authority}\u201d 항목을 켜세요.",
        mac="Mac",
        mac_open="버튼을 누르고, 내려받은 파일을 여세요.",
        mac_install=(
            "*시스템 설정 › 일반 › 기기 관리*(macOS 14까지는 *개인정보 보호 및 보안 › 프로파일*)에서 "
            "\u201c{profile}\u201d 항목을 두 번 클릭하고 *설치*를 누르세요. 메일 주소와 비밀번호를 물으면 입력하세요."
        ),
        mac_trust=(
            "*키체인 접근* 앱에서 \u201c{authority}\u201d 인증서를 두 번 클릭하고 "
            "*신뢰 › 이 인증서 사용 시 › 항상 신뢰*를 선택하세요."
        ),
    ),
    android=Android(
        name="Android",
        install=(
            "버튼을 눌러 인증서를 받으세요. 그다음 *설정*에서 \u201cCA 인증서\u201d를 검색하고"
            "(*암호화 및 사용자 인증 정보*, 삼성 기기는 *기타 보안 설정* 아래), 경고가 나와도 설치를 계속하여 "
            "내려받은 `ca.crt` 파일을 고르세요. 화면 잠금이 설정되어 있어야 합니다."
        ),
        account=(
            "Google Play나 F-Droid에서 *Thunderbird*를 설치하고 메일 주소와 비밀번호를 입력하세요. "
            "나머지는 저절로 설정됩니다."
        ),
        others=(
            "Gmail 같은 다른 앱에서는 *기타*나 *IMAP* 계정을 추가하고 이 페이지 끝에 있는 설정을 그대로 입력하세요. "
            "따로 설치한 인증서를 받아들이지 않는 앱도 있습니다."
        ),
        monitored="\u201c네트워크가 모니터링될 수 있음\u201d",
        monitored_limited=(
            "Android는 누구의 것이든 따로 설치한 인증서가 하나라도 있으면 늘 이렇게 알립니다. 누가 엿보고 있다는 뜻이 "
            "아닙니다. 이 인증서의 열쇠를 가진 사람이 흉내 낼 수 있는 것은 {domains} 안의 사이트뿐입니다."
        ),
        monitored_unlimited=(
            "Android는 누구의 것이든 따로 설치한 인증서가 하나라도 있으면 늘 이렇게 알립니다. 누가 엿보고 있다는 뜻은 "
            "아닙니다. 다만 이 인증서의 열쇠를 가진 사람은 어떤 사이트든 흉내 낼 수 있습니다. 위의 설명을 보세요."
        ),
    ),
    windows=Windows(
        name="Windows",
        install=(
            "버튼을 누르고 `ca.crt` 파일을 연 다음 *인증서 설치 › 현재 사용자 › 모든 인증서를 다음 저장소에 저장 › "
            "신뢰할 수 있는 루트 인증 기관*을 선택하세요. 한 번 더 물으면 *예*를 누르세요."
        ),
        thunderbird="*Thunderbird*: 이름, 메일 주소, 비밀번호로 계정을 추가하세요. 나머지는 저절로 설정됩니다.",
        outlook="*Outlook(클래식)*: *파일 › 계정 추가*에서 메일 주소를 입력하세요. 나머지는 저절로 설정됩니다.",
        new_outlook=(
            "새 Outlook과 휴대전화용 Outlook은 Microsoft 서버를 거쳐 메일을 읽는데, 그 서버는 이 집에 닿을 수 "
            "없습니다. 다른 프로그램을 쓰세요."
        ),
    ),
    linux=Linux(
        name="Linux와 Thunderbird",
        imported=(
            "*Thunderbird*와 *Firefox*는 믿는 인증 기관의 목록을 따로 둡니다. 버튼을 눌러 인증서를 받고 *설정 › "
            "개인 정보 및 보안 › 인증서 › 인증서 관리 › 인증 기관 › 가져오기*에서 그 파일을 고른 다음, 웹 사이트를 "
            "식별하는 데 쓰도록 표시하세요. Windows와 Mac에서는 경고가 계속 나올 때만 하면 됩니다."
        ),
        account="*Thunderbird*: 이름, 메일 주소, 비밀번호로 계정을 추가하세요. 나머지는 저절로 설정됩니다.",
        system=(
            "*Evolution, KMail* 등은 시스템이 믿는 것을 믿습니다. 파일을 `/usr/local/share/ca-certificates/`에 "
            "복사하고 `sudo update-ca-certificates`를 실행하세요(Debian, Ubuntu). Fedora에서는 "
            "`/etc/pki/ca-trust/source/anchors/`에 복사하고 `sudo update-ca-trust`를 실행하세요."
        ),
    ),
    others=Others(
        name="그 밖의 기기: 직접 입력할 설정",
        intro=(
            "서버는 모두 `{server}`이고, 로그인 이름은 전체 메일 주소이며, 비밀번호는 평소 쓰는 것과 같습니다."
        ),
        column_use="용도",
        column_tls="SSL/TLS 포트",
        column_starttls="또는 STARTTLS 포트",
        reading="읽기 (IMAP)",
        sending="보내기 (SMTP)",
        fetching="가져오기 (POP3)",
        filtering="필터 (ManageSieve)",
    ),
)

# What a spam filter marked goes to Junk; scripts of the mailbox's owner do not see it then.
require ["fileinto", "mailbox"];

if anyof (
    header :is "X-Spam-Flag" "YES",
    header :is "X-Spam" "Yes",
    header :matches "X-Spam-Status" ["Yes", "Yes,*", "Yes *"]
) {
    fileinto :create "Junk";
    stop;
}
